"""Fill in missing types and shapes of an ONNX model's outputs, and fix declarations that contradict inference."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx.defs
import onnx.helper
import onnx.shape_inference

from convnet_core.common.formatting import first_words
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.contrib import OPERATORS
from convnet_core.onnx_files.shape_inference import GENERATED_PREFIX, graphs_inside, infer, without_weights


def repair_types(model: onnx.ModelProto) -> Iterator[str]:
    """Fix wrong and missing shapes of outputs and intermediate tensors. Yields a line for each fix.

    Raises ConversionError if an output has a wrong type. ONNX Runtime behaves the same way: it warns about a wrong
    shape but rejects a wrong type.
    """
    light = without_weights(model)
    functions = {(function.domain, function.name) for function in model.functions}
    opaque = {name for node in model.graph.node if not _has_schema(node, functions) for name in node.output}
    opaque_values = [value for value in model.graph.value_info if value.name in opaque]
    del light.graph.value_info[:]
    light.graph.value_info.extend(opaque_values)
    for value in light.graph.output:
        if value.name not in opaque:
            value.ClearField("type")
    try:
        inferred = {
            value.name: value.type for graph in (infer(light).graph,) for value in (*graph.value_info, *graph.output)
        }
    except onnx.shape_inference.InferenceError:
        return  # the checker will report it
    for value in model.graph.output:
        if (note := _repair_output(value, inferred.get(value.name))) is not None:
            yield note
    wrong = [value.name for value in model.graph.value_info if _repair_value(value, inferred.get(value.name))]
    if wrong:
        yield _replaced_note(first_words([repr(name) for name in wrong], 3))
    yield from _repair_subgraphs(model)
    for value in (*model.graph.input, *model.graph.output):
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            raise ConversionError(
                _("the rank of {name!r} is neither declared nor can it be inferred", name=value.name),
                hint=_("declare its shape in the ONNX model, with a name for each dynamic dimension"),
            )


def _has_schema(node: onnx.NodeProto, functions: set[tuple[str, str]]) -> bool:
    """Whether shape inference supports a node."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    key = (domain, node.op_type)
    return key in functions or key in OPERATORS or onnx.defs.has(node.op_type, domain)


def _repair_output(value: onnx.ValueInfoProto, inferred: onnx.TypeProto | None) -> str | None:
    """Reconcile an output's declared type with the inferred one. Returns a note on the change, or None."""
    name, declared = value.name, value.type
    if inferred is None or not inferred.WhichOneof("value"):
        return None
    if not declared.WhichOneof("value"):
        declared.CopyFrom(inferred)
        _drop_generated_names(declared)
        return _(
            "the output {name!r} had no type; the inferred type {shape} was used", name=name, shape=_text(declared)
        )
    if not (declared.HasField("tensor_type") and inferred.HasField("tensor_type")):
        return None
    old, new = declared.tensor_type.elem_type, inferred.tensor_type.elem_type
    if old and new and old != new:
        raise ConversionError(
            _(
                "the output {name!r} is declared as {old}, but its node produces {new}",
                name=name,
                old=_dtype(old),
                new=_dtype(new),
            ),
            hint=_("declare it as {new}, or put a Cast before it", new=_dtype(new)),
        )
    before = _text(declared)
    missing = not declared.tensor_type.HasField("shape")
    contradicted = _repair_tensor(declared, inferred)
    if contradicted:
        return _("{note}: {before} by {after}", note=_replaced_note(repr(name)), before=before, after=_text(declared))
    if not old:
        return _(
            "the output {name!r} had no element type; the inferred type {new} was used", name=name, new=_dtype(new)
        )
    if missing and declared.tensor_type.HasField("shape"):
        return _(
            "the output {name!r} had no shape; the inferred shape {shape} was used", name=name, shape=_text(declared)
        )
    return None


def _replaced_note(names: str) -> str:
    return _("the declared shape of {names} was wrong and was replaced by the inferred one", names=names)


def _repair_value(value: onnx.ValueInfoProto, inferred: onnx.TypeProto | None) -> bool:
    """The same for an intermediate tensor. Returns whether the declaration was wrong."""
    if inferred is None or not (value.type.HasField("tensor_type") and inferred.HasField("tensor_type")):
        return False
    wrong_type = value.type.tensor_type.elem_type not in (0, inferred.tensor_type.elem_type)
    return _repair_tensor(value.type, inferred) or wrong_type


def _repair_tensor(declared: onnx.TypeProto, inferred: onnx.TypeProto) -> bool:
    """Update a declared tensor type from the inferred one. Returns whether they contradicted each other.

    Known inferred dimensions win; for unknown ones, the declaration stays.
    """
    target, source = declared.tensor_type, inferred.tensor_type
    target.elem_type = source.elem_type or target.elem_type
    if not source.HasField("shape"):
        return False
    if not target.HasField("shape") or len(target.shape.dim) != len(source.shape.dim):
        wrong = bool(target.HasField("shape"))
        target.shape.CopyFrom(source.shape)
        _drop_generated_names(declared)
        return wrong
    wrong = False
    for old, new in zip(target.shape.dim, source.shape.dim, strict=True):
        if new.HasField("dim_value") or (new.dim_param and not new.dim_param.startswith(GENERATED_PREFIX)):
            wrong |= old.HasField("dim_value") and (old.dim_value != new.dim_value or bool(new.dim_param))
            old.CopyFrom(new)
    return wrong


def _drop_generated_names(kind: onnx.TypeProto) -> None:
    for dim in kind.tensor_type.shape.dim:
        if dim.dim_param.startswith(GENERATED_PREFIX):
            dim.ClearField("value")


def _repair_subgraphs(model: onnx.ModelProto) -> Iterator[str]:
    """Remove shapes declared in subgraphs if they contradict inference."""
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
        yield _("shapes declared inside branches and loops contradicted inference and were dropped")


def _dtype(number: int) -> str:
    names = {int(value): str(name).lower() for name, value in onnx.TensorProto.DataType.items()}
    name = names.get(number, _("type {number}", number=number))
    return {"float": "float32", "double": "float64"}.get(name, name)


def _text(kind: onnx.TypeProto) -> str:
    """A shape as text, for messages."""
    tensor = kind.tensor_type
    if not tensor.HasField("shape"):
        return _("of unknown rank")
    return (
        "["
        + ", ".join(
            str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim
        )
        + "]"
    )
