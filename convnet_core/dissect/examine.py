"""Compare every tensor of every runtime with the reference's, and tell where an error is born."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx

from convnet_core.dissect.active_runtime import active
from convnet_core.dissect.difference import EPSILON, Difference, difference, value_range
from convnet_core.dissect.probes.base import Probe, numeric
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe
from convnet_core.tensors.arrays import Array, Feeds

ALLOWED = {"float32": 1e-5, "float16": 5e-3, "int8": 0.1}
"""The error that a node may add, as a part of its output's range, by its runtime's precision."""

MULTIPLE = 16.0
"""A float32 error is no finding unless it is this many times what float32 itself does to that tensor."""

_MAX_NOISE = 1e-4
"""Rounding is not believed to do more than this, as a part of the range: the run in float64 has the same converter
behind it as the artefact, and a mistake of the converter must not pass for noise."""


@dataclass(frozen=True)
class NodeError:
    """An output of a node in one runtime.

    `whole` is its difference from the reference's, `own` what of it the node adds by itself, as a part of the range
    (None where the node cannot be asked alone), `multiple` the error in units of the noise. `born` says that the node
    adds more than its runtime may, `beyond` that it is further off than that, `remade` that the runtime keeps the value
    to itself, inside a larger operator, and that it was made of those before it.
    """

    whole: Difference
    own: float | None
    multiple: float
    born: bool
    beyond: bool
    remade: bool = False


@dataclass(frozen=True)
class NodeResult:
    """An ONNX node: its range in the reference, the noise of float32 there as a part of it, and what each runtime has.

    `shape_differs` names runtimes whose tensor has another shape, with it.
    """

    name: str
    op: str
    output: str
    range: tuple[float, float]
    noise: float
    runtimes: dict[str, NodeError] = field(default_factory=dict)
    shape_differs: dict[str, tuple[int, ...]] = field(default_factory=dict)


def examine(
    model: onnx.ModelProto,
    reference: OnnxRuntimeProbe,
    exact: Feeds,
    others: Sequence[Probe],
    feeds: Feeds,
    tell: Callable[[str], None],
) -> tuple[list[NodeResult], dict[str, Feeds]]:
    """Every output of floats, in the order of the nodes; and the values of all tensors by runtime.

    `exact` are the values in float64, where they are known. `tell` hears what is at work.
    """
    values = {probe.name: run_probe(probe, feeds, tell) for probe in (reference, *others)}
    expected = values[reference.name]
    again = reference.values(feeds)
    found = []
    tell("asking each node alone")
    for node in model.graph.node:
        for name in node.output:
            if name not in expected or not numeric(expected[name]) or not _equal(expected[name], again[name]):
                continue  # no floats, or others each time: random
            value = expected[name]
            made = NodeResult(node.name, node.op_type, name, _limits(value), _noise(value, exact.get(name)))
            for probe in others:
                _compare_runtime(probe, name, value, values[probe.name], expected, reference, made)
            found.append(made)
    return found, values


def _equal(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def run_probe(probe: Probe, feeds: Feeds, tell: Callable[[str], None]) -> Feeds:
    """What a probe has of all tensors; `tell` hears that it is at work."""
    tell(f"running {probe.name}")
    with active(probe.name):
        return probe.values(feeds)


def _compare_runtime(
    probe: Probe, name: str, value: Array, own: Feeds, expected: Feeds, reference: OnnxRuntimeProbe, made: NodeResult
) -> None:
    """Note what one runtime has of a node."""
    got = own.get(name)
    if got is None:
        return
    if got.shape != value.shape:
        made.shape_differs[probe.name] = got.shape
        return
    whole = difference(got, value)
    added = _added_error(probe, name, got, own, expected, reference)
    noise = max(made.noise, EPSILON)
    allowed = ALLOWED[probe.precision]
    if probe.precision == "float32":
        allowed = max(allowed, min(MULTIPLE * noise, _MAX_NOISE))
    made.runtimes[probe.name] = NodeError(
        whole=whole,
        own=added,
        multiple=whole.relative / noise,
        born=added is not None and added > allowed,
        beyond=whole.relative > allowed,
        remade=name in probe.remade,
    )


def _added_error(
    probe: Probe, name: str, got: Array, own: Feeds, expected: Feeds, reference: OnnxRuntimeProbe
) -> float | None:
    """What a node adds by itself: its answer to the reference's inputs against the reference's.

    A runtime that cannot be fed inside is asked the other way round: its value against what the reference makes of the
    values that it had before.
    """
    with active(probe.name):
        alone = probe.alone(name, expected)
    if alone is not None and name in alone:
        return difference(alone[name], expected[name]).relative if alone[name].shape == expected[name].shape else np.inf
    if probe.alone_is_possible:
        return None
    known = {key: array for key, array in own.items() if key != name and _same_kind(array, expected.get(key))}
    remade = recompute(reference, name, known)
    return None if remade is None or remade.shape != got.shape else difference(got, remade).relative


def recompute(reference: OnnxRuntimeProbe, name: str, known: Mapping[str, Array]) -> Array | None:
    """What the reference makes of these tensors, going back from `name` until all inputs are known."""
    made: dict[str, Array] = dict(known)

    def back(wanted: str, depth: int) -> bool:
        if wanted in made:
            return True
        before = reference.inputs_of(wanted)
        if before is None or depth > _DEEPEST or not all(back(item, depth + 1) for item in before):
            return False
        results = reference.alone(reference.maker_of(wanted), made)
        if results is None:
            return False
        made.update(results)
        return wanted in made

    return made[name] if back(name, 0) else None


_DEEPEST = 64
"""Nodes to go back; a runtime that merges more keeps its reasons to itself."""


def _same_kind(array: Array, other: Array | None) -> bool:
    return other is not None and (array.shape, array.dtype) == (other.shape, other.dtype)


def _limits(value: Array) -> tuple[float, float]:
    finite = value[np.isfinite(value)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _noise(value: Array, exact: Array | None) -> float:
    """The reference's distance from float64, as a part of the range."""
    if exact is None or exact.shape != value.shape or not numeric(exact):
        return EPSILON
    return float(difference(value, exact).max / value_range(value))
