"""Every artefact at every batch size, and why one fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.dissect.finding import Finding
from convnet_core.dissect.worst import Answer
from convnet_core.errors import one_line
from convnet_core.tensors import Array, Feeds


@dataclass(frozen=True)
class Tried:
    """An artefact at a batch size: the shape of its first output, or why it gave none."""

    runtime: str
    batch: int
    shape: tuple[int, ...]
    fault: str = ""


def sweep(answers: Mapping[str, Answer], feeds: Feeds, names: frozenset[str], sizes: Sequence[int]) -> list[Tried]:
    """Run everything at every size; the samples are repeated where there are too few."""
    found = []
    for size in sizes:
        batch = {key: _resized(array, size) if key in names else array for key, array in feeds.items()}
        for runtime, answer in answers.items():
            try:
                found.append(Tried(runtime, size, answer(batch).shape))
            except Exception as error:  # each runtime has kinds of its own
                found.append(Tried(runtime, size, (), one_line(error)))
    return found


def _resized(array: Array, size: int) -> Array:
    return np.resize(array, (size, *array.shape[1:]))


def faults(tried: Sequence[Tried], model: onnx.ModelProto) -> list[Finding]:
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
    found = _constant(model)
    if found is None:
        text = f"{said}; no constant of the model explains it, the first one says: {first}."
        return [Finding("batch-size", text, "Try the sizes that will be used.", "", tuple(failed))]
    node, sizes = found
    return [
        Finding(
            "frozen-batch",
            f"{said}: {node.op_type} {node.name!r} has it as a constant, the first size of {sizes}.",
            "Export with a dynamic batch (dynamic_shapes, an example of at least two samples), and without its size "
            "in a reshape.",
            node.name,
            tuple(failed),
        )
    ]


def _constant(model: onnx.ModelProto) -> tuple[onnx.NodeProto, list[int]] | None:
    """The first node with a size for the batch in it, and all sizes that it has."""
    kept = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            kept[node.output[0]] = node.attribute[0].t
        if node.op_type in ("Reshape", "Expand") and node.input[1] in kept:
            sizes = onnx.numpy_helper.to_array(kept[node.input[1]]).tolist()
            if sizes and sizes[0] > 0 and _is_batch(node.input[0], model):
                return node, sizes
    return None


def _is_batch(name: str, model: onnx.ModelProto) -> bool:
    """Whether a tensor's first dimension is dynamic, as far as shape inference tells."""
    for value in (*model.graph.input, *model.graph.value_info):
        if value.name == name and value.type.tensor_type.shape.dim:
            return not value.type.tensor_type.shape.dim[0].HasField("dim_value")
    return True
