"""Whether the inputs are like those that the network has learned from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convnet_core.dissect.case import Case, InputStatistics
from convnet_core.dissect.checks.int8_ranges import INT8
from convnet_core.dissect.checks.labels import Labels
from convnet_core.dissect.finding import Finding

_SLACK = 0.1
"""How far outside the learned values inputs may go, as a part of their range."""
_DEVIATIONS = 1.0
"""How far the mean may be from the learned one, in their standard deviation: whole sets of images differ by less."""
_FLATTER = 4.0
"""How many times smaller than the learned one the deviation may be."""
_AGREE = 0.999
"""The share of labels on which float runtimes agree, if not for a score or two that lie together."""


def findings(case: Case, labels: Mapping[str, Labels]) -> list[Finding]:
    """Inputs in another range, around another mean, or much flatter than what the network has learned from."""
    if case.learned is None:
        return []
    values = next((array for array in case.many.values() if array.dtype.kind == "f" and array.size), None)
    said = None if values is None else _find_mismatch(InputStatistics.of(values, None), case.learned)
    if said is None:
        return []
    whose, mend = said
    verdict = _verdict(labels, case.learned)
    return [Finding("data", f"{verdict}{whose}.", mend)]


def _find_mismatch(given: InputStatistics, learned: InputStatistics) -> tuple[str, str] | None:
    """In what way the inputs are not what was learned, and what mends it."""
    slack = _SLACK * (learned.high - learned.low)
    if given.low < learned.low - slack or given.high > learned.high + slack:
        return (
            f"The inputs go from {given.low:.3g} to {given.high:.3g}, and {learned.seen_by} "
            f"{learned.low:.3g} to {learned.high:.3g}",
            f"Scale the inputs to {learned.low:.3g} to {learned.high:.3g} before they go in.",
        )
    if abs(given.mean - learned.mean) > _DEVIATIONS * learned.deviation:
        return (
            f"The inputs have a mean of {given.mean:.2f}, and {learned.seen_by} a mean of "
            f"{learned.mean:.2f} with a deviation of {learned.deviation:.2f}",
            "Bring the inputs into the form of the training data: they may be inverted, or scaled otherwise.",
        )
    if given.deviation * _FLATTER < learned.deviation:
        return (
            f"The inputs have a deviation of {given.deviation:.2g}, and {learned.seen_by} a deviation of "
            f"{learned.deviation:.2g}",
            f"Scale the inputs to {learned.low:.3g} to {learned.high:.3g} once: they may have been divided twice.",
        )
    return None


def _verdict(labels: Mapping[str, Labels], learned: InputStatistics) -> str:
    """What that does to the answers, as far as it is known."""
    floats = [item for name, item in labels.items() if name != INT8]
    if not floats or not all(item.agreement >= _AGREE for item in floats):
        return ""
    known = [item.accuracy for item in floats if item.accuracy is not None]
    if not known or learned.accuracy is None:
        return "All runtimes agree: the data is at fault, not the conversion. "
    there, before = 100 * float(np.min(known)), 100 * learned.accuracy
    fall = "falls from" if there < before - 0.5 else "was"
    return (
        f"All runtimes agree, and the accuracy {fall} {before:.1f} % {'to' if fall != 'was' else 'and is'} "
        f"{there:.1f} %: the data is at fault, not the conversion. "
    )
