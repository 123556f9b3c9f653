"""Apply the tolerances to the measurements of `compare.measure`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from convnet_core.common.formatting import join_clauses, list_words
from convnet_core.compare.differences import Floats, Key, Measurement
from convnet_core.compare.measure import evenly_spaced
from convnet_core.compare.report_file import TEST, inputs_title
from convnet_core.config.stages import CompareConfig
from convnet_core.language import N_, _, plural
from convnet_core.onnx_files.precision import FLOAT32, QUANTIZED, tolerance
from convnet_core.runtimes.specs import spec_of

OWN_KERNELS = N_("it computes quantized parts in its own int8 kernels")


@dataclass(frozen=True)
class Result:
    """A measurement and its judgment; `reason` says why it failed or was not judged."""

    measured: Measurement
    judged: bool
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """A runtime's figures on the test set if there is one, else on all input sets. Labels count on the whole test set.

    `reason` says why it failed or was not judged: fp16 and int8 are judged by labels, and there may be none.
    """

    name: str
    converter: str | None
    passed: bool
    bytes: int
    accuracy: float | None
    label_agreement: float | None
    max_abs_error: float | None
    reason: str = ""
    judged: bool = True


@dataclass(frozen=True)
class Comparison:
    """All results, a summary of each runtime, and notes for the reader."""

    reference: str
    config: CompareConfig
    results: tuple[Result, ...]
    runtimes: tuple[Summary, ...]
    notes: tuple[str, ...] = ()

    @property
    def agree(self) -> bool:
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def verdict(self) -> str:
        return "agree" if self.agree else "disagree"


def judge(
    measured: Sequence[Measurement], sizes: dict[tuple[str, str | None], int], reference: str, config: CompareConfig
) -> Comparison:
    """Apply the tolerances. `sizes` are bytes by (runtime, converter)."""
    largest = max((item.key.batch for item in measured), default=0)
    whole = {_without_batch(item.key): item for item in sorted(measured, key=lambda item: len(item.max_abs))}
    results = tuple(
        _judge_reference(item, config, largest)
        if item.key.runtime == reference
        else _judge(item, config, whole[_without_batch(item.key)])
        for item in measured
    )
    runtimes = tuple(
        _summary(
            name,
            converter,
            size,
            [r for r in results if (r.measured.key.runtime, r.measured.key.converter) == (name, converter)],
        )
        for (name, converter), size in sizes.items()
    )
    return Comparison(reference, config, results, runtimes, tuple(_notes(results, reference, config)))


def _without_batch(key: Key) -> Key:
    return replace(key, batch=0)


def _judge_reference(item: Measurement, config: CompareConfig, largest: int) -> Result:
    """The reference must repeat its answers at the largest batch size; at others they may differ."""
    if item.key.batch == largest:
        return _judge(item, config)
    result = _judge(replace(item, precision=FLOAT32), config)
    if result.passed:
        return result
    return Result(
        item, judged=False, passed=True, reason=_("its answers differ from those at batch {batch}", batch=largest)
    )


def _judge(item: Measurement, config: CompareConfig, whole: Measurement | None = None) -> Result:
    """Judge one measurement. `whole` is of the same runtime on all samples, if `item` is of a sample."""
    spec = spec_of(item.key.runtime)
    if spec.own_int8_kernels and item.precision in QUANTIZED:
        return Result(item, judged=False, passed=True, reason=item.fault or _(OWN_KERNELS))
    if item.fault:
        return Result(item, judged=True, passed=False, reason=item.fault)
    limits = {
        "float16": (config.fp16_agreement, config.fp16_accuracy_drop),
        "int8": (config.int8_agreement, config.int8_accuracy_drop),
    }.get(spec.precision)
    if limits is None:
        beyond = int((~(item.max_abs <= _allowed(item, config))).sum())
        reason = ""
        if beyond:
            reason = plural(
                "{count} of {total} samples is beyond tolerance",
                "{count} of {total} samples are beyond tolerance",
                beyond,
                total=len(item.max_abs),
            )
        return Result(item, judged=True, passed=not beyond, reason=reason)
    if item.key.inputs != TEST or item.agreement is None:
        # A share of equal labels on noise means nothing.
        return Result(item, judged=False, passed=True, reason=_("no labels"))
    least, most = limits
    if whole is not None and whole.answers is not None and len(whole.max_abs) > len(item.max_abs):
        # Two images weigh more in a sample: there, the labels may differ as often as those of the same images do.
        same = whole.at(evenly_spaced(len(whole.max_abs), len(item.max_abs)))
        least, most = min(least, same.agreement or 0.0), max(most, same.accuracy_drop)
    reasons = []
    if item.agreement < least:
        reasons.append(_("{share:.2%} equal labels, less than {least:.2%}", share=item.agreement, least=least))
    if item.accuracy_drop > most + 1e-12:
        reasons.append(
            _(
                "accuracy falls by {points:.2f} points, more than {most:.2f}",
                points=100 * item.accuracy_drop,
                most=100 * most,
            )
        )
    return Result(item, judged=True, passed=not reasons, reason=join_clauses(reasons))


def tolerances(item: Measurement, config: CompareConfig) -> Floats | None:
    """The largest error that each sample may have, float64 [n]; None for a runtime that is judged by its labels."""
    return _allowed(item, config) if spec_of(item.key.runtime).precision == FLOAT32 else None


def _allowed(item: Measurement, config: CompareConfig) -> Floats:
    rtol, atol = tolerance(config, item.precision)
    return atol + rtol * item.scale


def _notes(results: Sequence[Result], reference: str, config: CompareConfig) -> Iterator[str]:
    precisions = {item.key.output: item.precision for item in (result.measured for result in results)}
    for precision in dict.fromkeys(precisions.values()):
        if precision != FLOAT32:
            outputs = list_words(repr(name) for name, value in precisions.items() if value == precision)
            rtol, atol = tolerance(config, precision)
            limits = {"outputs": outputs, "precision": precision, "atol": atol, "rtol": rtol}
            if precision in QUANTIZED:
                yield _(
                    "{outputs}: quantized to {precision} on the way, and judged by its precision: |error| ≤ {atol:.1g} "
                    "+ {rtol:.1g} × the largest |output| of the sample",
                    **limits,
                )
            else:
                yield _(
                    "{outputs}: computed in {precision} on the way, and judged by its precision: |error| ≤ {atol:.1g} "
                    "+ {rtol:.1g} × the largest |output| of the sample",
                    **limits,
                )
    moved: dict[str, int] = {}
    for item in (result.measured for result in results if result.judged):
        moved[item.key.runtime] = max(moved.get(item.key.runtime, 0), item.moved)
    for runtime, count in moved.items():
        if count:
            yield plural(
                "{runtime}: {count} row swapped against {reference}'s, whose scores are equal within tolerance",
                "{runtime}: {count} rows swapped against {reference}'s, whose scores are equal within tolerance",
                count,
                runtime=runtime,
                reference=reference,
            )
    of_reference = [result for result in results if result.measured.key.runtime == reference]
    random = {result.measured.key.output for result in of_reference if not result.passed}
    unequal = dict.fromkeys(result.measured.key.output for result in of_reference if not result.judged)
    if unequal.keys() - random:
        yield _(
            "{outputs}: the answers of {reference} depend on the batch, so all are compared at the same batch size",
            outputs=list_words(repr(name) for name in unequal if name not in random),
            reference=reference,
        )


def _summary(name: str, converter: str | None, size: int, results: list[Result]) -> Summary:
    on_test = [result for result in results if result.measured.key.inputs == TEST] or results
    measured = [result.measured for result in on_test if not result.measured.fault]
    most = max((len(item.max_abs) for item in measured), default=0)
    whole = [item for item in measured if len(item.max_abs) == most]
    accuracies = [item.accuracy for item in whole if item.accuracy is not None]
    agreements = [item.agreement for item in whole if item.agreement is not None]
    errors = [float(item.max_abs.max(initial=0.0)) for item in measured]
    failed = next((result for result in results if not result.passed), None)
    judged = any(result.judged for result in results)
    reason = "" if judged or not results else results[0].reason
    if failed:
        key = failed.measured.key
        where = {"inputs": inputs_title(key.inputs), "batch": key.batch}
        reason = _("{inputs}, batch {batch}: {reason}", **where, reason=failed.reason)
    return Summary(
        name=name,
        converter=converter,
        passed=bool(results) and failed is None,
        bytes=size,
        accuracy=min(accuracies, default=None),
        label_agreement=min(agreements, default=None),
        max_abs_error=max(errors, default=None),
        reason=reason,
        judged=judged,
    )
