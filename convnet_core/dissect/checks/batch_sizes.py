"""Every artefact at every batch size, and why one fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.dissect.difference import ROUNDING, Answer, difference, is_float32
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.probes.base import numeric
from convnet_core.errors import one_line
from convnet_core.runtimes.specs import ONNX_RUNTIME
from convnet_core.tensors.arrays import Array, Feeds

_WORSE = 100.0
"""How many times as far off as at its best size an answer has to be for the size to be at fault."""


@dataclass(frozen=True)
class BatchResult:
    """An artefact at a batch size: the shape of its answer, or why it gave none or another than the ONNX model, and its
    error against that as a part of the range (None where it cannot be told).
    """

    runtime: str
    batch: int
    shape: tuple[int, ...]
    fault: str = ""
    error: float | None = None


def sweep(
    answers: Mapping[str, Answer], feeds: Feeds, names: frozenset[str], sizes: Sequence[int]
) -> list[BatchResult]:
    """Run everything at every size, the reference first; the samples are repeated where there are too few."""
    found = []
    for size in sizes:
        batch = {key: _resize(array, size) if key in names else array for key, array in feeds.items()}
        expected: Array | None = None
        for runtime, answer in answers.items():
            try:
                got = answer(batch)
            except Exception as error:  # each runtime has kinds of its own
                found.append(BatchResult(runtime, size, (), one_line(error)))
                continue
            if runtime == ONNX_RUNTIME.name:
                expected = got
            found.append(_compare(runtime, size, got, expected))
    return _mark_faults(found)


def _compare(runtime: str, size: int, got: Array, expected: Array | None) -> BatchResult:
    """What is told of an answer beside that of the reference, where there is one."""
    if expected is None or runtime == ONNX_RUNTIME.name:
        return BatchResult(runtime, size, got.shape)
    if got.shape != expected.shape:
        fault = f"the answer has the shape {list(got.shape)}, and the ONNX model's {list(expected.shape)}"
        return BatchResult(runtime, size, got.shape, fault)
    error = difference(got, expected).relative if numeric(expected) else None
    return BatchResult(runtime, size, got.shape, "", error)


def _mark_faults(tried: Sequence[BatchResult]) -> list[BatchResult]:
    """The same, where a float32 answer that is far off at one size only is a fault; one that always is, is no matter of
    the size.
    """
    least: dict[str, float] = {}
    for item in tried:
        if item.error is not None and is_float32(item.runtime):
            least[item.runtime] = min(item.error, least.get(item.runtime, item.error))
    return [
        dataclasses.replace(item, fault=f"the answer is {item.error:.1e} of its range off")
        if item.error is not None and item.runtime in least and item.error > max(ROUNDING, _WORSE * least[item.runtime])
        else item
        for item in tried
    ]


def _resize(array: Array, size: int) -> Array:
    return np.resize(array, (size, *array.shape[1:]))


def findings(tried: Sequence[BatchResult], model: onnx.ModelProto) -> list[Finding]:
    """At most one finding: artefacts that take some batch sizes only, and where in the graph the constant sits; or that
    fail at every size, which is no matter of the batch.
    """
    failed = sorted({item.runtime for item in tried if item.fault})
    if not failed:
        return []
    bad = sorted({item.batch for item in tried if item.fault})
    good = sorted({item.batch for item in tried if item.runtime in failed and not item.fault})
    names = f"{', '.join(failed)} fail{'s' * (len(failed) == 1)}"
    first = next(item.fault for item in tried if item.fault)
    if not good:
        text = f"{names} at every batch size: {first}."
        return [Finding("fails", text, "Compare the artefact's inputs with the model's.", "", tuple(failed))]
    said = f"{names} at batch {', '.join(map(str, bad))}, not at {', '.join(map(str, good))}"
    found = _find_constant_batch(model)
    if found is None:
        text = f"{said}; no constant of the model explains it, the first one says: {first}."
        return [Finding("batch-size", text, "Try the sizes that will be used.", "", tuple(failed))]
    node, what = found
    return [
        Finding(
            "frozen-batch",
            f"{said}: {node.op_type} {node.name!r} has it as a constant, {what}.",
            "Export with a dynamic batch (dynamic_shapes, an example of at least two samples), and without its size "
            "in a reshape.",
            node.name,
            tuple(failed),
        )
    ]


_RECURRENT = ("LSTM", "GRU", "RNN")


def _find_constant_batch(model: onnx.ModelProto) -> tuple[onnx.NodeProto, str] | None:
    """The first node with a size for the batch in it, and where it has it, in words."""
    kept = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            kept[node.output[0]] = node.attribute[0].t
        if node.op_type in ("Reshape", "Expand") and len(node.input) > 1 and node.input[1] in kept:
            sizes = onnx.numpy_helper.to_array(kept[node.input[1]]).tolist()
            if sizes and sizes[0] > 0 and _is_batch(node.input[0], model):
                return node, f"the first size of {sizes}"
        state = next((name for name in node.input[5:7] if node.op_type in _RECURRENT and name in kept), None)
        if state is not None:
            return node, f"the second size of its initial state {state!r}, {list(kept[state].dims)}"
    return None


def _is_batch(name: str, model: onnx.ModelProto) -> bool:
    """Whether a tensor's first dimension is dynamic, as far as shape inference tells."""
    for value in (*model.graph.input, *model.graph.value_info):
        if value.name == name and value.type.tensor_type.shape.dim:
            return not value.type.tensor_type.shape.dim[0].HasField("dim_value")
    return True
