"""Whether the inputs look like the training inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convnet_core.dissect.case import Case, InputStatistics
from convnet_core.dissect.checks.int8_ranges import INT8
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import Labels

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
    return [Finding("data", f"{verdict}{problem}.", fix)]


def _find_mismatch(actual: InputStatistics, learned: InputStatistics) -> tuple[str, str] | None:
    """How the inputs differ from the training inputs, and how to fix it; None if they do not."""
    slack = _SLACK * (learned.high - learned.low)
    if actual.low < learned.low - slack or actual.high > learned.high + slack:
        return (
            f"The inputs go from {actual.low:.3g} to {actual.high:.3g}, and {learned.seen_by} "
            f"{learned.low:.3g} to {learned.high:.3g}",
            f"Scale the inputs to {learned.low:.3g} to {learned.high:.3g} before you feed them.",
        )
    if abs(actual.mean - learned.mean) > _DEVIATIONS * learned.deviation:
        return (
            f"The inputs have a mean of {actual.mean:.2f}, and {learned.seen_by} a mean of "
            f"{learned.mean:.2f} with a deviation of {learned.deviation:.2f}",
            "Preprocess the inputs like the training data: they may be inverted or scaled differently.",
        )
    if actual.deviation * _FLATTER < learned.deviation:
        return (
            f"The inputs have a deviation of {actual.deviation:.2g}, and {learned.seen_by} a deviation of "
            f"{learned.deviation:.2g}",
            f"Scale the inputs to {learned.low:.3g} to {learned.high:.3g} once: they may have been divided twice.",
        )
    return None


def _verdict(labels: Mapping[str, Labels], learned: InputStatistics) -> str:
    """The effect on the answers, as far as it is known."""
    floats = [item for name, item in labels.items() if name != INT8]
    if not floats or not all(item.agreement >= _AGREE for item in floats):
        return ""
    accuracies = [item.accuracy for item in floats if item.accuracy is not None]
    if not accuracies or learned.accuracy is None:
        return "All float runtimes agree: the data is at fault, not the conversion. "
    actual, before = 100 * float(np.min(accuracies)), 100 * learned.accuracy
    fall = "falls from" if actual < before - 0.5 else "was"
    return (
        f"All float runtimes agree, and the accuracy {fall} {before:.1f} % {'to' if fall != 'was' else 'and is'} "
        f"{actual:.1f} %: the data is at fault, not the conversion. "
    )
