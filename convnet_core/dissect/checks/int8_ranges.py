"""Whether only the int8 file fails, and why: ranges that do not fit the data, or precision loss at a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from convnet_core.common.formatting import first_words
from convnet_core.config.stages import CompareConfig
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import Labels, NodeResult
from convnet_core.dissect.probes.litert import QuantizedRange
from convnet_core.language import _
from convnet_core.runtimes.specs import LITERT_INT8
from convnet_core.tensors.arrays import Feeds

INT8 = LITERT_INT8.name

_OUTSIDE = 0.02
"""The share of a tensor's values that may lie outside its quantized range."""
_WIDER = 8.0
"""How many times wider than its values a quantized range may be."""
_AGREE = CompareConfig().int8_agreement
"""The share of labels that int8 must reproduce."""
_USELESS = 0.5
"""The error of an output without labels that counts as failure, as a share of its range."""


def findings(
    ranges: Mapping[str, QuantizedRange],
    expected: Feeds,
    nodes: Sequence[NodeResult],
    output: str,
    labels: Mapping[str, Labels],
) -> list[Finding]:
    """At most one finding. int8 is judged by its labels, or by its error if `output` is not class scores."""
    answer = next((node for node in nodes if node.output == output), None)
    loss = _describe_loss(answer, labels) if np.isfinite(expected[output]).all() else ""
    if not loss or not _only_int8_fails(answer, labels):
        return []
    misfits = [item for name, limits in ranges.items() if (item := _find_misfit(name, limits, expected)) is not None]
    return [_range_finding(loss, misfits) if misfits else _node_finding(loss, nodes)]


def _describe_loss(answer: NodeResult | None, labels: Mapping[str, Labels]) -> str:
    """What int8 gets wrong, in words; empty if that is acceptable."""
    if INT8 in labels:
        share = _("{percent:.1f} % of the labels are right", percent=100 * labels[INT8].agreement)
        return share if _is_significant(labels[INT8]) else ""
    error = None if answer is None else answer.runtimes.get(INT8)
    if error is None or error.whole.relative < _USELESS:
        return ""
    return _("the output is off by {percent:.0f} % of its range", percent=100 * error.whole.relative)


def _is_significant(labels: Labels) -> bool:
    """Whether more labels flipped than allowed plus three standard deviations (Poisson)."""
    allowed = (1 - _AGREE) * labels.samples
    return labels.flipped > allowed + 3 * float(np.sqrt(allowed))


def _only_int8_fails(answer: NodeResult | None, labels: Mapping[str, Labels]) -> bool:
    """Whether all other runtimes are right."""
    if labels:
        return all(item.agreement >= _AGREE for name, item in labels.items() if name != INT8)
    return answer is not None and not any(error.beyond for name, error in answer.runtimes.items() if name != INT8)


class _Misfit(NamedTuple):
    """A tensor, its quantized range, and the range of its values."""

    name: str
    limits: QuantizedRange
    low: float
    high: float


def _find_misfit(name: str, limits: QuantizedRange, expected: Feeds) -> _Misfit | None:
    values = expected.get(name)
    if values is None or values.dtype.kind != "f" or not values.size:
        return None
    width, low, high = limits.high - limits.low, float(values.min()), float(values.max())
    slack = 0.02 * width
    outside = float(((values < limits.low - slack) | (values > limits.high + slack)).mean())
    wide = high > low and width > _WIDER * (high - low)  # a constant has no width to compare with
    return _Misfit(name, limits, low, high) if outside > _OUTSIDE or wide else None


def _range_finding(loss: str, misfits: Sequence[_Misfit]) -> Finding:
    first = misfits[0]
    return Finding(
        "int8-ranges",
        _(
            "Only the int8 file fails ({loss}): the ranges of {names} do not fit the data; {first!r} can represent "
            "{lowest:.3g} to {highest:.3g}, its values go from {low:.3g} to {high:.3g}.",
            loss=loss,
            names=first_words([repr(item.name) for item in misfits], 6),
            first=first.name,
            lowest=first.limits.low,
            highest=first.limits.high,
            low=first.low,
            high=first.high,
        ),
        _("Calibrate on realistic samples: --calibration samples.npz."),
        "",
        (INT8,),
    )


def _node_finding(loss: str, nodes: Sequence[NodeResult]) -> Finding:
    errors = [(error.own, node) for node in nodes if (error := node.runtimes.get(INT8)) and error.own is not None]
    added, node = max(errors, key=lambda item: item[0], default=(0.0, None))
    text = _("Only the int8 file fails ({loss}), though its ranges fit the data.", loss=loss)
    if node:
        text = _(
            "Only the int8 file fails ({loss}), though its ranges fit the data; the largest loss is at {op} {node!r}, "
            "adding {percent:.0f} % of its range.",
            loss=loss,
            op=node.op,
            node=node.name,
            percent=100 * added,
        )
    return Finding(
        "int8",
        text,
        _("Ship fp16, or use quantization-aware training."),
        node.name if node else "",
        (INT8,),
    )
