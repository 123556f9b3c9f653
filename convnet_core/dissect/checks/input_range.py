"""Whether the inputs look like the training inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convnet_core.common.formatting import sentences
from convnet_core.dissect.case import Case, InputStatistics
from convnet_core.dissect.checks.int8_ranges import INT8
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import Labels
from convnet_core.language import _

_SLACK = 0.1
"""How far inputs may go outside the training range, as a share of it."""
_DEVIATIONS = 1.0
"""How far the mean may be from the training mean, in training standard deviations. Image sets differ by less."""
_FLATTER = 4.0
"""How many times smaller than in training the standard deviation may be."""
_AGREE = 0.999
"""The share of labels on which float runtimes agree, except for a few nearly equal scores."""


def findings(case: Case, labels: Mapping[str, Labels]) -> list[Finding]:
    """A finding if range, mean or standard deviation of the inputs differ from the training inputs."""
    if case.learned is None:
        return []
    values = next((array for array in case.many.values() if array.dtype.kind == "f" and array.size), None)
    mismatch = None if values is None else _find_mismatch(InputStatistics.of(values, None), case.learned)
    if mismatch is None:
        return []
    problem, fix = mismatch
    verdict = _verdict(labels, case.learned)
    return [Finding("data", sentences(verdict, problem), fix)]


def _find_mismatch(actual: InputStatistics, learned: InputStatistics) -> tuple[str, str] | None:
    """How the inputs differ from the training inputs, and how to fix it; None if they do not."""
    seen_by, limits = _(learned.seen_by), {"lowest": learned.low, "highest": learned.high}
    slack = _SLACK * (learned.high - learned.low)
    if actual.low < learned.low - slack or actual.high > learned.high + slack:
        return (
            _(
                "The inputs go from {low:.3g} to {high:.3g}, and {seen_by} {lowest:.3g} to {highest:.3g}.",
                low=actual.low,
                high=actual.high,
                seen_by=seen_by,
                **limits,
            ),
            _("Scale the inputs to {lowest:.3g} to {highest:.3g} before you feed them.", **limits),
        )
    if abs(actual.mean - learned.mean) > _DEVIATIONS * learned.deviation:
        return (
            _(
                "The inputs have a mean of {mean:.2f}, and {seen_by} a mean of {expected:.2f} with a deviation of "
                "{deviation:.2f}.",
                mean=actual.mean,
                seen_by=seen_by,
                expected=learned.mean,
                deviation=learned.deviation,
            ),
            _("Preprocess the inputs like the training data: they may be inverted or scaled differently."),
        )
    if actual.deviation * _FLATTER < learned.deviation:
        return (
            _(
                "The inputs have a deviation of {deviation:.2g}, and {seen_by} a deviation of {expected:.2g}.",
                deviation=actual.deviation,
                seen_by=seen_by,
                expected=learned.deviation,
            ),
            _("Scale the inputs to {lowest:.3g} to {highest:.3g} once: they may have been divided twice.", **limits),
        )
    return None


def _verdict(labels: Mapping[str, Labels], learned: InputStatistics) -> str:
    """The effect on the answers, as far as it is known."""
    floats = [item for name, item in labels.items() if name != INT8]
    if not floats or not all(item.agreement >= _AGREE for item in floats):
        return ""
    accuracies = [item.accuracy for item in floats if item.accuracy is not None]
    if not accuracies or learned.accuracy is None:
        return _("All float runtimes agree: the data is at fault, not the conversion.")
    actual, before = 100 * float(np.min(accuracies)), 100 * learned.accuracy
    if actual < before - 0.5:
        return _(
            "All float runtimes agree, and the accuracy falls from {before:.1f} % to {actual:.1f} %: the data is at "
            "fault, not the conversion.",
            before=before,
            actual=actual,
        )
    return _(
        "All float runtimes agree, and the accuracy was {before:.1f} % and is {actual:.1f} %: the data is at fault, "
        "not the conversion.",
        before=before,
        actual=actual,
    )
