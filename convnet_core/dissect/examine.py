"""Compare every tensor of every runtime with the reference, and locate the nodes that introduce errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx

from convnet_core.dissect.active_runtime import active
from convnet_core.dissect.difference import ALLOWED, EPSILON, difference, value_range
from convnet_core.dissect.measurements import NodeError, NodeResult
from convnet_core.dissect.probes.base import Probe, numeric
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe
from convnet_core.language import _
from convnet_core.tensors.arrays import Array, Feeds

OnStep = Callable[[str, int, int], None]
"""Receives the name of a step, and how much of it is done: a count and its total."""

MULTIPLE = 16.0
"""A float32 error is a finding only if it is this many times the rounding noise of float32 in that tensor."""

_MAX_NOISE = 1e-4
"""The most that counts as rounding noise, as a share of the range: the float64 graph comes from the same converter as
the artifact, and a mistake of the converter must not pass as noise."""


def examine(
    model: onnx.ModelProto,
    reference: OnnxRuntimeProbe,
    exact: Feeds,
    others: Sequence[Probe],
    feeds: Feeds,
    on_step: OnStep,
) -> tuple[list[NodeResult], dict[str, Feeds]]:
    """Compare every float output, in the order of the nodes; also returns the values of all tensors by runtime.

    `exact` are the values in float64, as far as they are known.
    """
    values: dict[str, Feeds] = {}
    for index, probe in enumerate((reference, *others)):
        on_step(_("computing every tensor in {runtime}", runtime=probe.name), index, 1 + len(others))
        values[probe.name] = run_probe(probe, feeds)
    expected = values[reference.name]
    again = reference.values(feeds)
    results = []
    for index, node in enumerate(model.graph.node):
        on_step(_("running each node alone"), index, len(model.graph.node))
        for name in node.output:
            if name not in expected or not numeric(expected[name]) or not _equal(expected[name], again[name]):
                continue  # not a float tensor, or random: different in each run
            value = expected[name]
            result = NodeResult(node.name, node.op_type, name, _limits(value), _noise(value, exact.get(name)))
            for probe in others:
                _compare_runtime(probe, name, value, values[probe.name], expected, reference, result)
            results.append(result)
    return results, values


def _equal(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def run_probe(probe: Probe, feeds: Feeds) -> Feeds:
    """The values of all tensors that a probe has."""
    with active(probe.name):
        return probe.values(feeds)


def _compare_runtime(
    probe: Probe,
    name: str,
    value: Array,
    values: Feeds,
    expected: Feeds,
    reference: OnnxRuntimeProbe,
    result: NodeResult,
) -> None:
    """Add one runtime's error at a node to `result`."""
    got = values.get(name)
    if got is None:
        return
    if got.shape != value.shape:
        result.shape_differs[probe.name] = got.shape
        return
    whole = difference(got, value)
    added = _added_error(probe, name, got, values, expected, reference)
    noise = max(result.noise, EPSILON)
    allowed = ALLOWED[probe.precision]
    if probe.precision == "float32":
        allowed = max(allowed, min(MULTIPLE * noise, _MAX_NOISE))
    result.runtimes[probe.name] = NodeError(
        whole=whole,
        own=added,
        multiple=whole.relative / noise,
        born=added is not None and added > allowed,
        beyond=whole.relative > allowed,
        remade=name in probe.remade,
    )


def _added_error(
    probe: Probe, name: str, got: Array, values: Feeds, expected: Feeds, reference: OnnxRuntimeProbe
) -> float | None:
    """The error that a node itself adds: its output for the reference's inputs against the reference's output.

    LiteRT cannot run a single node. There the runtime's output is compared with the reference's output for the
    runtime's inputs.
    """
    with active(probe.name):
        alone = probe.alone(name, expected)
    if alone is not None and name in alone:
        return difference(alone[name], expected[name]).relative if alone[name].shape == expected[name].shape else np.inf
    if probe.alone_is_possible:
        return None
    known = {key: array for key, array in values.items() if key != name and _same_kind(array, expected.get(key))}
    recomputed = recompute(reference, name, known)
    return None if recomputed is None or recomputed.shape != got.shape else difference(got, recomputed).relative


def recompute(reference: OnnxRuntimeProbe, name: str, known: Mapping[str, Array]) -> Array | None:
    """The reference's value of a tensor, computed from the known tensors; None if they do not determine it."""
    values: dict[str, Array] = dict(known)

    def compute(wanted: str, depth: int) -> bool:
        if wanted in values:
            return True
        inputs = reference.inputs_of(wanted)
        if inputs is None or depth > _MAX_DEPTH or not all(compute(item, depth + 1) for item in inputs):
            return False
        results = reference.alone(reference.maker_of(wanted), values)
        if results is None:
            return False
        values.update(results)
        return wanted in values

    return values[name] if compute(name, 0) else None


_MAX_DEPTH = 64
"""Nodes to go back from the tensor."""


def _same_kind(array: Array, other: Array | None) -> bool:
    return other is not None and (array.shape, array.dtype) == (other.shape, other.dtype)


def _limits(value: Array) -> tuple[float, float]:
    finite = value[np.isfinite(value)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _noise(value: Array, exact: Array | None) -> float:
    """The reference's distance from float64, as a share of the range."""
    if exact is None or exact.shape != value.shape or not numeric(exact):
        return EPSILON
    return float(difference(value, exact).max / value_range(value))
