"""Give every output of an ONNX model its type and shape, and put right what is declared and contradicts inference."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx.defs
import onnx.helper
import onnx.shape_inference

from convnet_core.errors import ConversionError
from convnet_core.onnx_files.contrib import OPERATORS
from convnet_core.onnx_files.shape_inference import GENERATED_PREFIX, graphs_inside, infer, without_weights


def repair_types(model: onnx.ModelProto) -> Iterator[str]:
    """Replace wrong shapes of outputs and of tensors in between, and fill in missing ones; a line for each output.

    ONNX Runtime warns of a wrong shape and goes on. It refuses an output of another type, and so does this: raises
    ConversionError.
    """
    light = without_weights(model)
    functions = {(function.domain, function.name) for function in model.functions}
    strangers = {name for node in model.graph.node if not _has_schema(node, functions) for name in node.output}
    kept = [value for value in model.graph.value_info if value.name in strangers]
    del light.graph.value_info[:]
    light.graph.value_info.extend(kept)
    for value in light.graph.output:
        if value.name not in strangers:
            value.ClearField("type")
    try:
        known = {
            value.name: value.type for graph in (infer(light).graph,) for value in (*graph.value_info, *graph.output)
        }
    except onnx.shape_inference.InferenceError:
        return  # the checker says what is wrong
    for value in model.graph.output:
        if (note := _repair_output(value, known.get(value.name))) is not None:
            yield note
    wrong = [value.name for value in model.graph.value_info if _repair_value(value, known.get(value.name))]
    if wrong:
        yield _replaced_note(
            ", ".join(map(repr, wrong[:3])) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        )
    yield from _repair_subgraphs(model)
    for value in (*model.graph.input, *model.graph.output):
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            raise ConversionError(
                f"how many dimensions {value.name!r} has is neither declared nor can be inferred",
                hint="declare its shape in the ONNX model, with a name for each dynamic dimension",
            )


def _has_schema(node: onnx.NodeProto, functions: set[tuple[str, str]]) -> bool:
    """Whether inference knows what a node gives."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    key = (domain, node.op_type)
    return key in functions or key in OPERATORS or onnx.defs.has(node.op_type, domain)


def _repair_output(value: onnx.ValueInfoProto, inferred: onnx.TypeProto | None) -> str | None:
    """Bring the type of an output together with what was inferred; what to say of it."""
    name, declared = value.name, value.type
    if inferred is None or not inferred.WhichOneof("value"):
        return None
    if not declared.WhichOneof("value"):
        declared.CopyFrom(inferred)
        _drop_generated_names(declared)
        return f"the output {name!r} had no type: the inferred one, {_text(declared)}, was taken"
    if not (declared.HasField("tensor_type") and inferred.HasField("tensor_type")):
        return None
    old, new = declared.tensor_type.elem_type, inferred.tensor_type.elem_type
    if old and new and old != new:
        raise ConversionError(
            f"the output {name!r} is declared as {_dtype(old)}, and what gives it gives {_dtype(new)}",
            hint=f"declare it as {_dtype(new)}, or put a Cast before it",
        )
    before = _text(declared)
    missing = not declared.tensor_type.HasField("shape")
    contradicted = _repair_tensor(declared, inferred)
    if contradicted:
        return f"{_replaced_note(repr(name))}: {before} by {_text(declared)}"
    if not old:
        return f"the output {name!r} had no element type: the inferred one, {_dtype(new)}, was taken"
    if missing and declared.tensor_type.HasField("shape"):
        return f"the output {name!r} had no shape: the inferred one, {_text(declared)}, was taken"
    return None


def _replaced_note(names: str) -> str:
    return f"the declared shape of {names} was wrong and was replaced by the inferred one"


def _repair_value(value: onnx.ValueInfoProto, inferred: onnx.TypeProto | None) -> bool:
    """The same for a tensor in between; whether what was declared was wrong."""
    if inferred is None or not (value.type.HasField("tensor_type") and inferred.HasField("tensor_type")):
        return False
    wrong_type = value.type.tensor_type.elem_type not in (0, inferred.tensor_type.elem_type)
    return _repair_tensor(value.type, inferred) or wrong_type


def _repair_tensor(declared: onnx.TypeProto, inferred: onnx.TypeProto) -> bool:
    """Bring two types of a tensor together in the first; whether they contradicted each other.

    What inference knows of a dimension is right; what it does not know is as declared.
    """
    mine, other = declared.tensor_type, inferred.tensor_type
    mine.elem_type = other.elem_type or mine.elem_type
    if not other.HasField("shape"):
        return False
    if not mine.HasField("shape") or len(mine.shape.dim) != len(other.shape.dim):
        wrong = bool(mine.HasField("shape"))
        mine.shape.CopyFrom(other.shape)
        _drop_generated_names(declared)
        return wrong
    wrong = False
    for old, new in zip(mine.shape.dim, other.shape.dim, strict=True):
        if new.HasField("dim_value") or (new.dim_param and not new.dim_param.startswith(GENERATED_PREFIX)):
            wrong |= old.HasField("dim_value") and (old.dim_value != new.dim_value or bool(new.dim_param))
            old.CopyFrom(new)
    return wrong


def _drop_generated_names(kind: onnx.TypeProto) -> None:
    for dim in kind.tensor_type.shape.dim:
        if dim.dim_param.startswith(GENERATED_PREFIX):
            dim.ClearField("value")


def _repair_subgraphs(model: onnx.ModelProto) -> Iterator[str]:
    """Shapes that are declared in graphs inside nodes are dropped where they contradict what is inferred there."""
    inner = list(graphs_inside(model.graph.node))
    if not inner:
        return
    try:
        infer(without_weights(model), strict=True)
    except onnx.shape_inference.InferenceError:
        for graph in inner:
            for value in (*graph.value_info, *graph.output):
                if value.type.HasField("tensor_type"):
                    value.type.tensor_type.ClearField("shape")
        yield "shapes declared inside branches and loops contradict what is inferred there, and were dropped"


def _dtype(number: int) -> str:
    names = {int(value): str(name).lower() for name, value in onnx.TensorProto.DataType.items()}
    name = names.get(number, f"type {number}")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _text(kind: onnx.TypeProto) -> str:
    """A shape for people."""
    tensor = kind.tensor_type
    if not tensor.HasField("shape"):
        return "of unknown rank"
    return (
        "["
        + ", ".join(
            str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim
        )
        + "]"
    )
