"""A Comparison as report.json, report.md and report.html, one self-contained file each."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.formatting import format_error, format_share, format_size, list_words
from convnet_core.common.templates import open_template
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, Result, Summary, tolerances
from convnet_core.compare.report_file import LabelTolerance, Report, ResultLine, RuntimeLine, Tolerance, inputs_title
from convnet_core.compare.verdict import explanations, sentence, verdict_word
from convnet_core.data import gallery
from convnet_core.runs.stage_record import now
from convnet_core.runtimes.specs import all_versions

_TEMPLATES = Path(__file__).parent / "templates"
_FILTERS: dict[str, Callable[[Any], str]] = {
    "size": format_size,
    "error": format_error,
    "share": format_share,
    "verdict": sentence,
    "inputs": inputs_title,
    "list_words": list_words,
}
_MOST_PICTURES = 24
_DECADES = np.arange(-9, 3)  # edges of the histograms: 1e-9 to 1e2


@dataclass(frozen=True)
class Bar:
    """One column of an error histogram, from 10^low to 10^(low + 1); `share` is its height relative to the highest."""

    low: int
    count: int
    share: float


@dataclass(frozen=True)
class Picture:
    """An image of the test set on which labels differ."""

    index: int
    png: str
    truth: int
    answers: dict[str, int]


def report_of(
    comparison: Comparison,
    title: str,
    config: dict[str, Any],
    warnings: Sequence[str] = (),
    dissection: dict[str, Any] | None = None,
    not_made: Sequence[str] = (),
) -> Report:
    """The report of a comparison; see `Report` for its parts."""
    tolerance = comparison.config
    return Report(
        title=title,
        created=now(),
        verdict=comparison.verdict,
        warnings=tuple(warnings),
        notes=tuple(comparison.notes),
        not_made=tuple(not_made),
        reference=comparison.reference,
        tolerance=Tolerance(
            rtol=tolerance.rtol,
            atol=tolerance.atol,
            rule="float32: |error| <= atol + rtol * largest |output of that sample|",
            fp16=LabelTolerance(label_agreement=tolerance.fp16_agreement, accuracy_drop=tolerance.fp16_accuracy_drop),
            int8=LabelTolerance(label_agreement=tolerance.int8_agreement, accuracy_drop=tolerance.int8_accuracy_drop),
        ),
        runtimes=tuple(_runtime_line(line) for line in comparison.runtimes),
        results=tuple(_result_line(result) for result in comparison.results),
        dissection=dissection,
        environment={**all_versions(), "platform": platform.platform(), "machine": platform.machine()},
        config=config,
    )


def _runtime_line(line: Summary) -> RuntimeLine:
    return RuntimeLine(
        name=line.name,
        converter=line.converter,
        passed=line.passed,
        judged=line.judged,
        bytes=line.bytes,
        accuracy=line.accuracy,
        label_agreement=line.label_agreement,
        max_abs_error=_number(line.max_abs_error),
        reason=line.reason,
    )


def _result_line(result: Result) -> ResultLine:
    item = result.measured
    return ResultLine(
        runtime=item.key.runtime,
        converter=item.key.converter,
        inputs=item.key.inputs,
        batch=item.key.batch,
        output=item.key.output,
        samples=len(item.max_abs),
        max_abs_error=_number(item.max_abs.max()) if len(item.max_abs) else None,
        mean_abs_error=_number(item.mean_abs),
        max_rel_error=_number(item.max_rel) if len(item.max_abs) else None,
        label_agreement=item.agreement,
        accuracy=item.accuracy,
        judged=result.judged,
        passed=result.passed,
        reason=result.reason,
    )


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def to_markdown(report: Report) -> str:
    """The verdict and the table of runtimes, for an issue or a pull request."""
    return open_template(_TEMPLATES / "report.md.j2", **_FILTERS).render(
        report=report, verdict_word=verdict_word(report)
    )


def to_html(report: Report, comparison: Comparison, images: NDArray[np.uint8] | None) -> str:
    """One self-contained page: verdict, table, error histograms, images on which labels differ.

    `images` are the test images, uint8 [n, height, width]; None if the inputs are not images.
    """
    pictures = differing_pictures(comparison, images) if images is not None else []
    differing = count_differing(comparison)
    return open_template(_TEMPLATES / "report.html.j2", **_FILTERS).render(
        report=report,
        verdict_word=verdict_word(report),
        histograms=histograms(comparison),
        explanations=explanations(report),
        pictures=pictures,
        differing=differing,
        decades=_DECADES,
    )


def per_sample(comparison: Comparison) -> list[Measurement]:
    """One successful measurement per runtime: first input set (the test set if there is one), largest batch size, first
    output.
    """
    chosen: dict[tuple[str, str | None], Measurement] = {}
    first = comparison.results[0].measured.key if comparison.results else None
    for result in comparison.results:
        item = result.measured
        if first and (item.key.inputs, item.key.output) == (first.inputs, first.output) and not item.fault:
            previous = chosen.get((item.key.runtime, item.key.converter))
            if previous is None or item.key.batch > previous.key.batch:
                chosen[item.key.runtime, item.key.converter] = item
    return list(chosen.values())


def histograms(comparison: Comparison) -> list[tuple[str, int, list[Bar], float | None]]:
    """For each runtime: its name, how many samples are exactly equal, a bar per decade of error for the rest, and
    log10 of the smallest error that is not tolerated (None if it is judged by labels).
    """
    result = []
    for item in per_sample(comparison):
        errors = item.max_abs[item.max_abs > 0]
        places = np.clip(np.floor(np.log10(errors)), _DECADES[0], _DECADES[-1]).astype(int)
        counts = [int((places == low).sum()) for low in _DECADES]
        highest = max(1, *counts)
        bars = [Bar(int(low), count, count / highest) for low, count in zip(_DECADES, counts, strict=True)]
        limits = tolerances(item, comparison.config)
        limit = None if limits is None else float(np.log10(limits.min(initial=np.inf)))
        result.append((item.key.runtime, int((item.max_abs == 0).sum()), bars, limit))
    return result


def count_differing(comparison: Comparison) -> int:
    """The number of test images on which any runtime's label differs from the reference's."""
    return len(_differing(comparison))


def differing_pictures(comparison: Comparison, images: NDArray[np.uint8]) -> list[Picture]:
    """The first of the images [n, height, width] on which any runtime's label differs from the reference's."""
    labeled = _labeled(comparison)
    if not labeled:
        return []
    first = labeled[0]
    assert first.expected is not None
    assert first.truth is not None
    return [
        Picture(
            index=int(place),
            png=gallery.to_base64(255 - images[place]),
            truth=int(first.truth[place]),
            answers={
                comparison.reference: int(first.expected[place]),
                **{item.key.runtime: int(item.answers[place]) for item in labeled if item.answers is not None},
            },
        )
        for place in _differing(comparison)[:_MOST_PICTURES]
    ]


def _labeled(comparison: Comparison) -> list[Measurement]:
    return [item for item in per_sample(comparison) if item.answers is not None]


def _differing(comparison: Comparison) -> NDArray[np.intp]:
    """The indices of the test images on which any runtime's label differs from the reference's."""
    differs = [item.answers != item.expected for item in _labeled(comparison)]
    return np.flatnonzero(np.logical_or.reduce(differs)) if differs else np.empty(0, np.intp)
