"""Findings about nodes: at most one per node, the most informative one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from convnet_core.common.formatting import list_words, sentences
from convnet_core.convert import coverage
from convnet_core.dissect.case import Case
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import NodeResult
from convnet_core.dissect.probes.base import Probe
from convnet_core.language import _
from convnet_core.tensors.arrays import Array, Feeds

_EXPLAINED = ("born", "unsupported")
"""The kinds of findings that another finding at the same node explains."""


def training_mode(model: onnx.ModelProto, depends: float) -> list[Finding]:
    """The first BatchNorm that uses the statistics of the batch. `depends` is how much an output depends on the rest of
    the batch, as a share of the range.
    """
    results = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and any(
            item.name == "training_mode" and item.i for item in node.attribute
        ):
            results.append(
                Finding(
                    "train-mode",
                    _(
                        "BatchNormalization is in training mode, at node {node!r}: it normalizes with the statistics "
                        "of the batch, so outputs depend on the other samples, by {percent:.1f} % of their range.",
                        node=node.name,
                        percent=100 * depends,
                    ),
                    _("Call model.eval() before the export."),
                    node.name,
                )
            )
    return results[:1]


def introduced_errors(
    nodes: Sequence[NodeResult], model: onnx.ModelProto, probes: Mapping[str, Probe], expected: Feeds
) -> list[Finding]:
    """For each float runtime: the first node that adds more error than it may."""
    results: dict[str, Finding] = {}
    for name, probe in probes.items():
        first = next((node for node in nodes if name in node.runtimes and node.runtimes[name].born), None)
        if first is None or probe.precision == "int8":
            continue
        error = first.runtimes[name]
        epsilon = _explain_by_epsilon(first, model, probe, expected)
        runtimes = (*(results[first.name].runtimes if first.name in results else ()), name)
        results[first.name] = Finding(
            "epsilon" if epsilon else "born",
            sentences(
                _(
                    "{op} {node!r} introduces an error in {runtimes}: by itself it adds {error:.1e} of its range, "
                    "{multiple:,.0f} times the noise of float32.",
                    op=first.op,
                    node=first.name,
                    runtimes=list_words(runtimes),
                    error=error.own or 0,
                    multiple=error.multiple,
                ),
                epsilon,
            ),
            _("Compare the node's attributes and weights on both sides; the nodes after it only pass the error on."),
            first.name,
            runtimes,
        )
    return list(results.values())


def beyond_tolerance(nodes: Sequence[NodeResult], probes: Mapping[str, Probe]) -> list[Finding]:
    """For each float32 runtime: the first node beyond tolerance, if no node is known to add the error."""
    results = []
    for name, probe in probes.items():
        first = next((node for node in nodes if name in node.runtimes and node.runtimes[name].beyond), None)
        if first is not None and probe.precision == "float32":
            error = first.runtimes[name].whole.relative
            results.append(
                Finding(
                    "seen",
                    _(
                        "{runtime} is first beyond tolerance at {op} {node!r}, {error:.1e} of the range; it cannot run "
                        "alone there, so the error may come from it or from the nodes it is merged with.",
                        runtime=name,
                        op=first.op,
                        node=first.name,
                        error=error,
                    ),
                    _("Look at the preceding nodes in the other runtimes."),
                    first.name,
                    (name,),
                )
            )
    return results


def _explain_by_epsilon(node: NodeResult, model: onnx.ModelProto, probe: Probe, expected: Feeds) -> str:
    """For a BatchNorm whose output fits a different epsilon than the model's: a sentence that says so."""
    onnx_node = next(item for item in model.graph.node if item.name == node.name)
    if node.op != "BatchNormalization":
        return ""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    if any(name not in weights for name in onnx_node.input[1:5]):
        return ""
    scale, bias, mean, variance = (
        onnx.numpy_helper.to_array(weights[name]).astype(np.float64) for name in onnx_node.input[1:5]
    )
    model_epsilon = next(
        (onnx.helper.get_attribute_value(item) for item in onnx_node.attribute if item.name == "epsilon"), 1e-5
    )
    x, answer = expected[onnx_node.input[0]].astype(np.float64), probe.alone(node.output, expected)
    if answer is None:
        return ""
    fitted = _fit_epsilon(x, answer[node.output].astype(np.float64), (scale, bias, mean, variance))
    if fitted is None or abs(fitted - model_epsilon) <= 0.05 * max(model_epsilon, fitted):
        return ""
    return _(
        "Its output fits an epsilon of {fitted:.0e}, and the model's is {epsilon:.0e}.",
        fitted=fitted,
        epsilon=model_epsilon,
    )


def _fit_epsilon(x: Array, y: Array, parameters: tuple[Array, Array, Array, Array]) -> float | None:
    """Solve y = (x - mean) * scale / sqrt(variance + epsilon) + bias for epsilon, per channel by least squares."""
    scale, bias, mean, variance = (item.reshape(1, -1, *[1] * (x.ndim - 2)) for item in parameters)
    centered = (x - mean) * scale
    axes = (0, *range(2, x.ndim))
    with np.errstate(all="ignore"):
        slope = ((y - bias) * centered).sum(axes) / (centered * centered).sum(axes)
        epsilons = 1 / slope**2 - variance.ravel()
    epsilons = epsilons[np.isfinite(epsilons)]
    return float(np.median(epsilons)) if epsilons.size else None


def different_shapes(nodes: Sequence[NodeResult], probes: Mapping[str, Probe]) -> list[Finding]:
    """For each float32 runtime: the first node whose value has another shape than in ONNX."""
    results = []
    for name, probe in probes.items():
        first = next((node for node in nodes if name in node.shape_differs), None)
        if first is not None and probe.precision == "float32" and probe.alone_is_possible:
            results.append(
                Finding(
                    "shape",
                    _(
                        "{runtime} has another shape at {op} {node!r}: {shape}.",
                        runtime=name,
                        op=first.op,
                        node=first.name,
                        shape=list(first.shape_differs[name]),
                    ),
                    _("Compare the node's attributes on both sides."),
                    first.name,
                    (name,),
                )
            )
    return results


def crashes(case: Case) -> list[Finding]:
    """The runtimes that crashed the process."""
    return [
        Finding(
            "dead",
            _("{runtime} cannot be dissected: {reason}.", runtime=name, reason=reason),
            _("Use another artifact; the log shows where it crashed."),
            runtimes=(name,),
        )
        for name, reason in case.dead.items()
    ]


def unsupported(case: Case) -> list[Finding]:
    """What a converter does not support, where, and which one does."""
    if not case.refused:
        return []
    first, more = case.refused[0], len(case.refused) - 1
    others = coverage.capable_converters(case.model, case.converter)
    opset = None if first.reason else coverage.convertible_opset(case.model, case.converter)
    alternatives = [_("the {converter} converter supports the model", converter=name) for name in others]
    text = _("{converter} does not support {node}", converter=case.converter, node=first)
    if more:
        text = _("{text}, and {count} more", text=text, count=more)
    fixes = [f"`convert --converter {name}`" for name in others]
    if opset is not None:
        alternatives.append(
            _("at opset {opset} {converter} supports all its operators", opset=opset, converter=case.converter)
        )
        fixes.append(
            _(
                "`export --opset {opset}`, or onnx.version_converter.convert_version(model, {opset}) for an imported "
                "model",
                opset=opset,
            )
        )
    found = _(", and ").join(alternatives) or _("no other converter or opset that was tried supports it")
    return [
        Finding(
            "unsupported",
            _("{text}; {found}.", text=text, found=found),
            _("{fixes}.", fixes=_(", or ").join(fixes)) if fixes else _("Export with other operators."),
            first.node,
        )
    ]


def deduplicate(results: Sequence[Finding], together: Iterable[tuple[str, ...]] = ()) -> list[Finding]:
    """Drop findings that another one explains: an error or an unsupported node at its node, and the effects of wrong
    data or of outputs that depend on the batch. `together` are the nodes that are one op in LiteRT.
    """
    explained_nodes = {item.node for item in results if item.kind not in _EXPLAINED and item.node}
    merged = {name for names in together if explained_nodes.intersection(names) for name in names}
    batch = any(item.kind == "train-mode" for item in results)
    wrong_input = batch or any(item.kind == "data" for item in results)

    def explained(item: Finding) -> bool:
        lite = bool(item.runtimes) and all(name.startswith("litert") for name in item.runtimes)
        if item.kind in _EXPLAINED and (item.node in explained_nodes or (lite and (batch or item.node in merged))):
            return True
        return (wrong_input and item.kind in ("int8", "int8-ranges")) or (batch and item.kind == "batch-size")

    return [item for item in results if not explained(item)]
