"""Open and check an ONNX file, and say what goes in and what comes out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.helper
import onnx.shape_inference
from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from convnet_core.common.files import digest
from convnet_core.errors import ConversionError, ModelError, one_line
from convnet_core.onnx_files import contrib, file_faults
from convnet_core.onnx_files.functions import expanded_size, walk_nodes
from convnet_core.onnx_files.shape_inference import without_weights
from convnet_core.tensors.arrays import TensorInfo

ONE_FILE = file_faults.ONE_FILE
"""Bytes: protobuf's limit."""

FILE, WEIGHTS = "model.onnx", "model.data"
"""Of a run's model; the second is there only where the first would be too large."""

MOST_NODES = 50_000
"""Of a stranger's model, those in graphs and functions inside it counted; also where each call is what it comes to."""

MOST_VALUES = 2**29
"""Of one tensor of a stranger's model, as its shape has it: 2 GB of float32."""

CHECKER = f"onnx.checker {onnx.__version__} with full shape inference"
"""What every model has passed before it is kept."""


def parse(path: Path, shown: str | None = None) -> onnx.ModelProto:
    """The model of a file as it stands, its weights in other files not loaded. `shown` names the file in messages.

    Raises ModelError, which says what the file is where it is no ONNX model.
    """
    file_faults.require_onnx(path, shown)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, ValueError) as error:  # ValueError: over protobuf's limit
        raise file_faults.damage_error(path, shown) from error
    if not model.HasField("graph"):
        raise file_faults.damage_error(path, shown)
    if any(isinstance(text, bytes) for text in _texts(model)):  # so protobuf gives what is not UTF-8
        raise ModelError(
            f"{shown or path} is a damaged ONNX model: a name in it is not text",
            hint="download or copy it again, and compare its size with the original's",
        )
    return model


def _texts(message: Message) -> Iterator[str | bytes]:
    """All names and other texts in a message; of tensors, the names alone."""
    if isinstance(message, onnx.TensorProto):
        yield message.name
        return
    for field, value in message.ListFields():
        many = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from many
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in many:
                yield from _texts(item)


def load(path: Path) -> onnx.ModelProto:
    """The model of a file, with the weights in other files of its folder. Raises ModelError."""
    model = parse(path)
    if _external_files(model, path):
        try:
            load_external_data_for_model(model, str(path.parent))
        except (onnx.checker.ValidationError, ValueError, OSError) as error:
            raise ModelError(
                f"{path}: the weights in its other files cannot be read: {one_line(error)}",
                hint="they must be those that were written with this model",
            ) from error
    return model


def save(model: onnx.ModelProto, folder: Path) -> list[Path]:
    """Write model.onnx and, where it is too large for one file, model.data, into which its weights move."""
    path, outside = folder / FILE, size(model) > ONE_FILE
    location = WEIGHTS if outside else None
    onnx.save(model, path, save_as_external_data=outside, location=location, size_threshold=0)
    return [path, folder / WEIGHTS] if outside else [path]


def external_files(path: Path) -> list[Path]:
    """The other files that a model keeps weights in. Raises ModelError for one outside the model's own folder."""
    return _external_files(parse(path), path)


def _external_files(model: onnx.ModelProto, path: Path) -> list[Path]:
    kept = [tensor for tensor in tensors(model) if uses_external_data(tensor)]
    names = {item.value for tensor in kept for item in tensor.external_data if item.key == "location"}
    for name in sorted(names):
        inside = (path.parent / name).resolve().is_relative_to(path.parent.resolve())
        if Path(name).is_absolute() or ".." in Path(name).parts or not inside or (path.parent / name).is_symlink():
            raise ModelError(f"{path} keeps weights in {name!r}, which is not a plain file in the model's own folder")
        if not (path.parent / name).is_file():
            raise ModelError(
                f"{path} keeps weights in {name!r}, which is not there", hint="it belongs beside the model"
            )
    return [path.parent / name for name in sorted(names)]


def fingerprint(path: Path) -> str:
    """SHA-256 of a model's file, and of the files with its weights where there are any. Raises ModelError."""
    try:
        outside = external_files(path)
        found = [digest(file) for file in (path, *outside)]
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error
    return hashlib.sha256("".join(found).encode()).hexdigest() if outside else found[0]


def load_untrusted(path: Path) -> onnx.ModelProto:
    """The model of a file that nobody vouches for: weights in other files are refused. Raises ModelError."""
    model = parse(path, path.name)
    outside = next((tensor.name for tensor in tensors(model) if uses_external_data(tensor)), None)
    if outside is not None:
        raise ModelError(
            f"{path.name} keeps weights in another file ({outside!r}), and an upload is one file",
            hint="export it with external_data=False, or use the command line: "
            "`python -m convnet_core convert --onnx FILE`",
        )
    _check_limits(model, path.name)
    return model


def _check_limits(model: onnx.ModelProto, name: str) -> None:
    """Refuse what would take more memory or time than any network needs, before anything is made of it."""
    command = "on the command line there is no such limit: `python -m convnet_core convert --onnx FILE`"
    nodes = sum(1 for part in (model.graph, *model.functions) for _ in walk_nodes(part.node))
    if nodes > MOST_NODES:
        raise ModelError(f"{name} has {nodes:,} nodes, and at most {MOST_NODES:,} are taken", hint=command)
    nodes = expanded_size(model, MOST_NODES, name, command)
    if nodes > MOST_NODES:
        raise ModelError(
            f"{name} comes to {nodes:,} nodes with its functions in the place of their calls, "
            f"and at most {MOST_NODES:,} are taken",
            hint=command,
        )
    for tensor in tensors(model):
        values = math.prod(tensor.dims)
        if values > MOST_VALUES or any(size < 0 for size in tensor.dims):
            raise ModelError(
                f"{name}: the tensor {tensor.name!r} claims the shape {list(tensor.dims)[:8]}, "
                f"and at most {MOST_VALUES:,} values are taken",
                hint=command,
            )


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that is kept in a model: in its graph, in graphs inside it, in its functions."""
    for graph in (
        model.graph,
        *(item for info in model.training_info for item in (info.initialization, info.algorithm)),
    ):
        yield from _tensors(graph)
    for function in model.functions:
        for node in function.node:
            yield from _node_tensors(node)
        for attribute in function.attribute_proto:
            yield from _attribute_tensors(attribute)


def size(model: onnx.ModelProto) -> int:
    """About the bytes of a model: those of its weights. `ByteSize` raises over 2 GB (protobuf 7.36)."""
    return sum(tensor.ByteSize() for tensor in tensors(model))


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        yield from _attribute_tensors(attribute)


def _attribute_tensors(attribute: onnx.AttributeProto) -> Iterator[onnx.TensorProto]:
    yield from (*((attribute.t,) if attribute.HasField("t") else ()), *attribute.tensors)
    for sparse in (
        *((attribute.sparse_tensor,) if attribute.HasField("sparse_tensor") else ()),
        *attribute.sparse_tensors,
    ):
        yield from (sparse.values, sparse.indices)
    for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
        yield from _tensors(graph)


def check(model: onnx.ModelProto) -> None:
    """`onnx.checker` with strict shape inference; over 2 GB without the large weights. Raises ConversionError."""
    try:
        with contrib.use_schemas(model):
            onnx.checker.check_model(without_weights(model) if size(model) > ONE_FILE else model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        # ValueError: a type of tensors that ONNX has not, or a message with bytes of an attribute that are no text
        raise ConversionError(f"the ONNX checker refuses the model: {one_line(error)}") from error


def inputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The inputs that a caller feeds: those that no initializer fills."""
    filled = {tensor.name for tensor in model.graph.initializer}
    return tuple(_info(value) for value in model.graph.input if value.name not in filled)


def outputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The outputs, in their order."""
    return tuple(_info(value) for value in model.graph.output)


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    if not value.type.HasField("tensor_type"):
        raise ModelError(f"{value.name!r} is not a plain tensor, and only those are supported")
    tensor = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return TensorInfo(value.name, dtype, shape, tuple(dim.dim_param for dim in tensor.shape.dim))
