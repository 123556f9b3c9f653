"""What is wrong, in sentences: at most one for each place, the most telling one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from convnet_core.dissect.case import Case
from convnet_core.dissect.examine import NodeFound
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.labels import Labels
from convnet_core.dissect.litert import Range
from convnet_core.dissect.probe import Probe
from convnet_core.tensors import Array, Feeds

_OUTSIDE = 0.02
"""The share of a tensor's values that a quantized range may leave out."""
_WIDER = 8.0
"""How many times wider than the values a quantized range may be."""
_AGREE = 0.99
"""The share of labels that int8 has to keep."""


def training_mode(model: onnx.ModelProto, depends: float) -> list[Finding]:
    """The first batch normalisation that uses the statistics of the batch. `depends` is how much an answer changes with
    its company, as a part of the range.
    """
    found = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and any(
            item.name == "training_mode" and item.i for item in node.attribute
        ):
            found.append(
                Finding(
                    "train-mode",
                    f"BatchNormalization is in training mode, at node {node.name!r}: it normalises by the samples that "
                    f"come together, so that the outputs depend on the batch, by {100 * depends:.1f} % of their range.",
                    "model.eval() before the export.",
                    node.name,
                )
            )
    return found[:1]


def born(
    nodes: Sequence[NodeFound], model: onnx.ModelProto, probes: Mapping[str, Probe], expected: Feeds
) -> list[Finding]:
    """For the float runtimes: the first node that adds more than it may."""
    found: dict[str, Finding] = {}
    for name, probe in probes.items():
        first = next((node for node in nodes if name in node.runtimes and node.runtimes[name].born), None)
        if first is None or probe.kind == "int8":
            continue
        seen = first.runtimes[name]
        epsilon = _epsilon(first, model, probe, expected)
        detail = f" {epsilon}" if epsilon else ""
        runtimes = (*(found[first.name].runtimes if first.name in found else ()), name)
        found[first.name] = Finding(
            "epsilon" if epsilon else "born",
            f"The error is born at {first.op} {first.name!r} in {', '.join(runtimes)}: by itself it adds "
            f"{seen.own or 0:.1e} of its range, {seen.multiple:,.0f} times the noise of float32.{detail}",
            "Compare the node's attributes and weights on both sides; what comes after it only passes the error on.",
            first.name,
            runtimes,
        )
    return list(found.values())


def seen(nodes: Sequence[NodeFound], probes: Mapping[str, Probe]) -> list[Finding]:
    """For the float32 runtimes: the first node that is beyond tolerance, where none is known to add it."""
    found = []
    for name, probe in probes.items():
        first = next((node for node in nodes if name in node.runtimes and node.runtimes[name].beyond), None)
        if first is not None and probe.kind == "float32":
            error = first.runtimes[name].whole.relative
            found.append(
                Finding(
                    "seen",
                    f"{name} is first beyond tolerance at {first.op} {first.name!r}, {error:.1e} of the range; it "
                    "cannot be asked alone there, so that the error may be born at it or in what it is merged with.",
                    "Look at the nodes before it in the other runtimes.",
                    first.name,
                    (name,),
                )
            )
    return found


def _epsilon(node: NodeFound, model: onnx.ModelProto, probe: Probe, expected: Feeds) -> str:
    """For a batch normalisation: the epsilon that its answer fits, where that is not its own."""
    made = next(item for item in model.graph.node if item.name == node.name)
    if node.op != "BatchNormalization":
        return ""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    if any(name not in weights for name in made.input[1:5]):
        return ""
    scale, bias, mean, variance = (
        onnx.numpy_helper.to_array(weights[name]).astype(np.float64) for name in made.input[1:5]
    )
    own = next((onnx.helper.get_attribute_value(item) for item in made.attribute if item.name == "epsilon"), 1e-5)
    x, answer = expected[made.input[0]].astype(np.float64), probe.alone(node.output, expected)
    if answer is None:
        return ""
    fitted = _fit(x, answer[node.output].astype(np.float64), (scale, bias, mean, variance))
    if fitted is None or abs(fitted - own) <= 0.05 * max(own, fitted):
        return ""
    return f"Its answer fits an epsilon of {fitted:.0e}, and the model's is {own:.0e}."


def _fit(x: Array, y: Array, parameters: tuple[Array, Array, Array, Array]) -> float | None:
    """From y = (x - mean) * scale / sqrt(variance + epsilon) + bias, over each channel by least squares."""
    scale, bias, mean, variance = (item.reshape(1, -1, *[1] * (x.ndim - 2)) for item in parameters)
    centred = (x - mean) * scale
    axes = (0, *range(2, x.ndim))
    with np.errstate(all="ignore"):
        slope = ((y - bias) * centred).sum(axes) / (centred * centred).sum(axes)
        found = 1 / slope**2 - variance.ravel()
    found = found[np.isfinite(found)]
    return float(np.median(found)) if found.size else None


def ranges(
    quantized: Mapping[str, Range], expected: Feeds, labels: Labels | None, others: Mapping[str, Labels]
) -> list[Finding]:
    """Where the int8 file alone keeps its labels badly: the tensors whose ranges do not fit the values in them."""
    alone = all(item.agreement >= _AGREE for runtime, item in others.items() if runtime != "litert-int8")
    if labels is None or labels.agreement >= _AGREE or not alone:
        return []
    wrong = []
    for name, held in quantized.items():
        if name not in expected or expected[name].dtype.kind != "f" or not expected[name].size:
            continue
        values = expected[name]
        slack = 0.02 * (held.high - held.low)
        outside = float(((values < held.low - slack) | (values > held.high + slack)).mean())
        wide = (held.high - held.low) / max(float(values.max() - values.min()), 1e-30)
        if outside > _OUTSIDE or wide > _WIDER:
            wrong.append((name, held, float(values.min()), float(values.max())))
    if not wrong:
        return []
    name, held, low, high = wrong[0]
    names = ", ".join(repr(item[0]) for item in wrong[:6]) + (f" and {len(wrong) - 6} more" if len(wrong) > 6 else "")
    return [
        Finding(
            "int8-ranges",
            f"Only the int8 artefact fails ({100 * labels.agreement:.1f} % of the labels): the ranges of {names} do "
            f"not fit the data; {name!r} can hold {held.low:.3g} to {held.high:.3g}, its values go from {low:.3g} to "
            f"{high:.3g}.",
            "Calibrate on samples like those that the network will see: --calibration samples.npz.",
            "",
            ("litert-int8",),
        )
    ]


def data_range(case: Case, labels: Mapping[str, Labels]) -> list[Finding]:
    """Inputs in another range than the network has learned from."""
    if case.training_range is None:
        return []
    low, high = case.training_range
    arrays = [array for array in case.many.values() if array.dtype.kind == "f" and array.size]
    least, most = (float(function(array)) for array in arrays[:1] for function in (np.min, np.max))
    width = high - low
    if least >= low - width and most <= high + width:
        return []
    said = [item.accuracy for name, item in labels.items() if item.accuracy is not None and "int8" not in name]
    accuracy = f" at {100 * min(said):.1f} % of the right labels" if said else ""
    return [
        Finding(
            "data",
            f"All runtimes agree{accuracy}: the data is at fault, not the conversion. The inputs go from {least:.3g} "
            f"to {most:.3g}, and the network has learned from {low:.3g} to {high:.3g}.",
            f"Scale the inputs to {low:.3g} to {high:.3g} before they go in.",
        )
    ]


def refused(case: Case, native_takes_it: bool) -> list[Finding]:
    """What a converter lacks, and who has it."""
    if not case.refused:
        return []
    other = "the native converter takes it" if native_takes_it else "export with another opset"
    return [
        Finding("unsupported", f"{case.refused}; {other}.", "`convert --converter native`, or `export --opset 18`.")
    ]


def deduplicated(found: Sequence[Finding]) -> list[Finding]:
    """Without an error that is born at a node which another finding explains, or ranges that the data does not fit
    because the data is at fault.
    """
    told = {item.node for item in found if item.kind != "born" and item.node}
    data = any(item.kind == "data" for item in found)
    return [
        item
        for item in found
        if not (item.kind == "born" and item.node in told) and not (item.kind == "int8-ranges" and data)
    ]
