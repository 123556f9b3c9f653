"""Load, save and check ONNX files, and list their inputs and outputs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from convnet_core.language import _
from convnet_core.onnx_files import contrib, file_faults
from convnet_core.onnx_files.functions import expanded_size, walk_nodes
from convnet_core.onnx_files.repairs import repair
from convnet_core.onnx_files.shape_inference import without_weights
from convnet_core.tensors.arrays import TensorInfo

ONE_FILE = file_faults.ONE_FILE
"""Protobuf's limit for one file, in bytes."""

FILE, WEIGHTS = "model.onnx", "model.data"
"""A run's model file, and the file with its weights if the model is too large for one file."""

MAX_NODES = 50_000
"""Most nodes in an untrusted model, including subgraphs and functions, before and after inlining."""

MAX_VALUES = 2**29
"""Most elements in one tensor of an untrusted model: 2 GB of float32."""

CHECKER = f"onnx.checker {onnx.__version__} with full shape inference"
"""The check that every saved model has passed."""


def parse(path: Path, shown: str | None = None) -> onnx.ModelProto:
    """Parse a model file without loading external weights. `shown` is the file's name in messages.

    Raises ModelError, which says what the file is if it is not an ONNX model.
    """
    file_faults.require_onnx(path, shown)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, ValueError) as error:  # ValueError: over protobuf's limit
        raise file_faults.damage_error(path, shown) from error
    if not model.HasField("graph"):
        raise file_faults.damage_error(path, shown)
    if any(isinstance(text, bytes) for text in _texts(model)):  # protobuf returns bytes for invalid UTF-8
        raise ModelError(
            _("{path} is a damaged ONNX model: a name in it is not text", path=shown or path),
            hint=_("download or copy it again, and compare its size with the original's"),
        )
    return model


def _texts(message: Message) -> Iterator[str | bytes]:
    """All strings in a message. For tensors, only their names."""
    if isinstance(message, onnx.TensorProto):
        yield message.name
        return
    for field, value in message.ListFields():
        items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from items
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in items:
                yield from _texts(item)


@dataclass(frozen=True)
class ModelFile:
    """A parsed model file. `weight_files` are the other files with its weights, which `model` lacks at first."""

    path: Path
    model: onnx.ModelProto
    weight_files: tuple[Path, ...] = ()

    def load_weights(self) -> onnx.ModelProto:
        """Read the weights in other files into `model`, and return it. Raises ModelError."""
        if self.weight_files:
            try:
                load_external_data_for_model(self.model, str(self.path.parent))
            except (onnx.checker.ValidationError, ValueError, OSError) as error:
                raise ModelError(
                    _(
                        "{path}: the weights in its other files cannot be read: {reason}",
                        path=self.path,
                        reason=one_line(error),
                    ),
                    hint=_("use the weight files that were saved together with this model"),
                ) from error
        return self.model

    def fingerprint(self) -> str:
        """SHA-256 of the model file and its weight files. Raises ModelError."""
        try:
            digests = [digest(file) for file in (self.path, *self.weight_files)]
        except OSError as error:
            raise ModelError(_("{path} cannot be read: {reason}", path=self.path, reason=one_line(error))) from error
        return hashlib.sha256("".join(digests).encode()).hexdigest() if self.weight_files else digests[0]


def open_file(path: Path) -> ModelFile:
    """Parse a model file. Raises ModelError, also if it has weights in a file outside its folder."""
    model = parse(path)
    return ModelFile(path, model, tuple(_external_files(model, path)))


def load(path: Path) -> onnx.ModelProto:
    """Load a model file and its external weights. Raises ModelError."""
    return open_file(path).load_weights()


def load_repaired(file: ModelFile) -> tuple[onnx.ModelProto, list[str]]:
    """Load, repair and check an imported model. Returns it with a list of repairs.

    Raises ModelError if its weights cannot be read, ConversionError if it is not a valid model.
    """
    model = file.load_weights()
    repairs = repair(model)
    check(model)
    return model, repairs


def save(model: onnx.ModelProto, folder: Path) -> list[Path]:
    """Write model.onnx. If it is too large for one file, its weights go to model.data."""
    path, external = folder / FILE, size(model) > ONE_FILE
    location = WEIGHTS if external else None
    onnx.save(model, path, save_as_external_data=external, location=location, size_threshold=0)
    if not external:
        return [path]
    load_external_data_for_model(model, str(folder))  # onnx.save 1.23 has removed them from the model in memory
    return [path, folder / WEIGHTS]


def _external_files(model: onnx.ModelProto, path: Path) -> list[Path]:
    names = _external_names(model)
    for name in names:
        is_inside = (path.parent / name).resolve().is_relative_to(path.parent.resolve())
        if Path(name).is_absolute() or ".." in Path(name).parts or not is_inside or (path.parent / name).is_symlink():
            raise ModelError(
                _(
                    "{path} stores weights in {name!r}, which is not a regular file in the model's folder",
                    path=path,
                    name=name,
                )
            )
        if not (path.parent / name).is_file():
            raise ModelError(
                _("{path} stores weights in {name!r}, which does not exist", path=path, name=name),
                hint=_("put it next to the model"),
            )
    return [path.parent / name for name in names]


def _external_names(model: onnx.ModelProto) -> list[str]:
    """The files that the model says hold its weights, relative to its folder."""
    stored = [tensor for tensor in tensors(model) if uses_external_data(tensor)]
    return sorted({item.value for tensor in stored for item in tensor.external_data if item.key == "location"})


def open_untrusted(path: Path) -> ModelFile:
    """Parse an untrusted model file. Raises ModelError if it is too large or has external weights."""
    model = parse(path, path.name)
    if any(uses_external_data(tensor) for tensor in tensors(model)):
        raise ModelError(
            _(
                "{file} stores weights in another file ({external!r}), but an upload must be a single file",
                file=path.name,
                external=min(_external_names(model), default=""),
            ),
            hint=_(
                "export it with external_data=False, or use the command line: `python -m convnet_core convert --onnx "
                "FILE`"
            ),
        )
    _check_limits(model, path.name)
    return ModelFile(path, model)


def _check_limits(model: onnx.ModelProto, name: str) -> None:
    """Reject a model that needs more memory or time than any real network, before processing it."""
    command = _("the command line has no such limit: `python -m convnet_core convert --onnx FILE`")
    nodes = sum(1 for part in (model.graph, *model.functions) for _node in walk_nodes(part.node))
    if nodes > MAX_NODES:
        raise ModelError(
            _("{name} has {nodes:,} nodes; the limit is {limit:,}", name=name, nodes=nodes, limit=MAX_NODES),
            hint=command,
        )
    nodes = expanded_size(model, MAX_NODES, name, command)
    if nodes > MAX_NODES:
        raise ModelError(
            _(
                "{name} has {nodes:,} nodes after its functions are inlined; the limit is {limit:,}",
                name=name,
                nodes=nodes,
                limit=MAX_NODES,
            ),
            hint=command,
        )
    for tensor in tensors(model):
        values = math.prod(tensor.dims)
        if values > MAX_VALUES or any(size < 0 for size in tensor.dims):
            raise ModelError(
                _(
                    "{name}: the tensor {tensor!r} declares the shape {shape}; the limit is {limit:,} values",
                    name=name,
                    tensor=tensor.name,
                    shape=list(tensor.dims)[:8],
                    limit=MAX_VALUES,
                ),
                hint=command,
            )


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor stored in a model: in its graph, subgraphs and functions."""
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
    """The approximate size in bytes: that of all tensors. `ByteSize` fails over 2 GB (protobuf 7.36)."""
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
    """Run `onnx.checker` with strict shape inference, over 2 GB without large weights. Raises ConversionError."""
    try:
        with contrib.use_schemas(model):
            onnx.checker.check_model(without_weights(model) if size(model) > ONE_FILE else model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        # ValueError: an unknown tensor type, or an error message with bytes that are not text
        raise ConversionError(_("the ONNX checker rejects the model: {reason}", reason=one_line(error))) from error


def inputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The inputs to feed: those without an initializer."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    return tuple(_info(value) for value in model.graph.input if value.name not in initialized)


def outputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The outputs, in order."""
    return tuple(_info(value) for value in model.graph.output)


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    if not value.type.HasField("tensor_type"):
        raise ModelError(_("{name!r} is not a plain tensor; only plain tensors are supported", name=value.name))
    tensor = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return TensorInfo(value.name, dtype, shape, tuple(dim.dim_param for dim in tensor.shape.dim))
