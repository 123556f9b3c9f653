"""Whether the int8 file alone fails, and for what: ranges that do not fit the data, or what is lost inside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from convnet_core.config.stages import CompareConfig
from convnet_core.dissect.checks.labels import Labels
from convnet_core.dissect.examine import NodeResult
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.probes.litert import QuantizedRange
from convnet_core.runtimes.specs import LITERT_INT8
from convnet_core.tensors.arrays import Feeds

INT8 = LITERT_INT8.name

_OUTSIDE = 0.02
"""The share of a tensor's values that a quantized range may leave out."""
_WIDER = 8.0
"""How many times wider than the values a quantized range may be."""
_AGREE = CompareConfig().int8_agreement
"""The share of labels that int8 has to keep."""
_USELESS = 0.5
"""An answer without labels counts as lost where it is this much of its range off."""


def findings(
    ranges: Mapping[str, QuantizedRange],
    expected: Feeds,
    nodes: Sequence[NodeResult],
    output: str,
    labels: Mapping[str, Labels],
) -> list[Finding]:
    """At most one finding. int8 is judged by the labels that it keeps, and where the answer `output` is no scores of
    classes, by its error there.
    """
    answer = next((node for node in nodes if node.output == output), None)
    lost = _describe_loss(answer, labels) if np.isfinite(expected[output]).all() else ""
    if not lost or not _only_int8_fails(answer, labels):
        return []
    wrong = [misfit for name, held in ranges.items() if (misfit := _find_misfit(name, held, expected)) is not None]
    return [_range_finding(lost, wrong) if wrong else _node_finding(lost, nodes)]


def _describe_loss(answer: NodeResult | None, labels: Mapping[str, Labels]) -> str:
    """What int8 has lost, in words; empty where that is not too much."""
    if INT8 in labels:
        share = f"{100 * labels[INT8].agreement:.1f} % of the labels are kept"
        return share if _is_significant(labels[INT8]) else ""
    seen = None if answer is None else answer.runtimes.get(INT8)
    if seen is None or seen.whole.relative < _USELESS:
        return ""
    return f"the answer is {100 * seen.whole.relative:.0f} % of its range off"


def _is_significant(kept: Labels) -> bool:
    """Whether so few labels are kept that it is no accident of these samples: by three standard deviations (Poisson)
    more flipped ones than int8 may flip.
    """
    allowed = (1 - _AGREE) * kept.samples
    return kept.flipped > allowed + 3 * float(np.sqrt(allowed))


def _only_int8_fails(answer: NodeResult | None, labels: Mapping[str, Labels]) -> bool:
    """Whether all other runtimes are right."""
    if labels:
        return all(item.agreement >= _AGREE for name, item in labels.items() if name != INT8)
    return answer is not None and not any(seen.beyond for name, seen in answer.runtimes.items() if name != INT8)


class _Misfit(NamedTuple):
    """A tensor, what it can hold, and what its values are."""

    name: str
    held: QuantizedRange
    low: float
    high: float


def _find_misfit(name: str, held: QuantizedRange, expected: Feeds) -> _Misfit | None:
    values = expected.get(name)
    if values is None or values.dtype.kind != "f" or not values.size:
        return None
    width, low, high = held.high - held.low, float(values.min()), float(values.max())
    slack = 0.02 * width
    outside = float(((values < held.low - slack) | (values > held.high + slack)).mean())
    wide = high > low and width > _WIDER * (high - low)  # a constant has no width to compare with
    return _Misfit(name, held, low, high) if outside > _OUTSIDE or wide else None


def _range_finding(lost: str, wrong: Sequence[_Misfit]) -> Finding:
    first = wrong[0]
    names = ", ".join(repr(item.name) for item in wrong[:6]) + (f" and {len(wrong) - 6} more" if wrong[6:] else "")
    return Finding(
        "int8-ranges",
        f"Only the int8 artefact fails ({lost}): the ranges of {names} do not fit the data; {first.name!r} can hold "
        f"{first.held.low:.3g} to {first.held.high:.3g}, its values go from {first.low:.3g} to {first.high:.3g}.",
        "Calibrate on samples like those that the network will see: --calibration samples.npz.",
        "",
        (INT8,),
    )


def _node_finding(lost: str, nodes: Sequence[NodeResult]) -> Finding:
    asked = [(seen.own, node) for node in nodes if (seen := node.runtimes.get(INT8)) and seen.own is not None]
    own, node = max(asked, key=lambda item: item[0], default=(0.0, None))
    where = f"; most is lost at {node.op} {node.name!r}, which adds {100 * own:.0f} % of its range" if node else ""
    return Finding(
        "int8",
        f"Only the int8 artefact fails ({lost}), though its ranges fit the data{where}.",
        "Ship fp16, or train with the quantization in mind.",
        node.name if node else "",
        (INT8,),
    )
