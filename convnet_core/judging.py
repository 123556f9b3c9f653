"""Which answers count as the same: the tolerances applied to what `compare.measure` measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convnet_core.compare import TEST, Measured
from convnet_core.config import CompareConfig


@dataclass(frozen=True)
class Result:
    """A measurement and its judgement; `reason` is there when it failed."""

    measured: Measured
    judged: bool
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """A runtime's figures over the test set where there is one, else over everything.

    fp16 and int8 are judged by labels; where there are none, they are not judged, which is not the same as passed.
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
    """All results, a line for each runtime, and whether all of them agree."""

    reference: str
    config: CompareConfig
    results: tuple[Result, ...]
    runtimes: tuple[Summary, ...]

    @property
    def agree(self) -> bool:
        return bool(self.results) and all(result.passed for result in self.results)

    @property
    def verdict(self) -> str:
        return "agree" if self.agree else "disagree"


def judge(
    measured: Sequence[Measured], sizes: dict[tuple[str, str | None], int], reference: str, config: CompareConfig
) -> Comparison:
    """Apply the tolerances. `sizes` gives each (runtime, converter)'s bytes."""
    results = tuple(_judge(item, config) for item in measured)
    runtimes = tuple(
        _summary(
            name,
            converter,
            size,
            [r for r in results if (r.measured.key.runtime, r.measured.key.converter) == (name, converter)],
        )
        for (name, converter), size in sizes.items()
    )
    return Comparison(reference, config, results, runtimes)


def _judge(item: Measured, config: CompareConfig) -> Result:
    if item.fault:
        return Result(item, judged=True, passed=False, reason=item.fault)
    limits = {
        "fp16": (config.fp16_agreement, config.fp16_accuracy_drop),
        "int8": (config.int8_agreement, config.int8_accuracy_drop),
    }.get(item.key.runtime.rpartition("-")[2])
    if limits is None:
        beyond = int((~(item.max_abs <= config.atol + config.rtol * item.scale)).sum())
        reason = f"{beyond} of {len(item.max_abs)} samples are beyond tolerance" if beyond else ""
        return Result(item, judged=True, passed=not beyond, reason=reason)
    if item.key.inputs != TEST or item.agreement is None or item.accuracy is None:
        return Result(item, judged=False, passed=True)  # a share of noise, or of a few drawings, says nothing
    least, most = limits
    reasons = []
    if item.agreement < least:
        reasons.append(f"{item.agreement:.2%} equal labels, less than {least:.2%}")
    drop = item.reference_accuracy - item.accuracy
    if drop > most + 1e-12:
        reasons.append(f"accuracy falls by {100 * drop:.2f} points, more than {100 * most:.2f}")
    return Result(item, judged=True, passed=not reasons, reason="; ".join(reasons))


def _summary(name: str, converter: str | None, size: int, results: list[Result]) -> Summary:
    on_test = [result for result in results if result.measured.key.inputs == TEST] or results
    sound = [result.measured for result in on_test if not result.measured.fault]
    accuracies = [item.accuracy for item in sound if item.accuracy is not None]
    agreements = [item.agreement for item in sound if item.agreement is not None]
    errors = [float(item.max_abs.max(initial=0.0)) for item in sound]
    failed = next((result for result in results if not result.passed), None)
    return Summary(
        name=name,
        converter=converter,
        passed=bool(results) and failed is None,
        bytes=size,
        accuracy=min(accuracies, default=None),
        label_agreement=min(agreements, default=None),
        max_abs_error=max(errors, default=None),
        reason=f"{failed.measured.key.inputs}, batch {failed.measured.key.batch}: {failed.reason}" if failed else "",
        judged=any(result.judged for result in results),
    )
