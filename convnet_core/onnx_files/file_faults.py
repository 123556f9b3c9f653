"""What a file is that should be an ONNX model and is not: a sentence about it, and what to do. Does not import onnx."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from pathlib import Path

from convnet_core.common import file_kinds
from convnet_core.common.file_kinds import FileKind, file_kind
from convnet_core.errors import ModelError

ONE_FILE = 2**31 - 1
"""Bytes: protobuf's limit for one file."""

_MOST_FIELDS = 10_000  # that are looked at; a model has a dozen, and one for each of its functions and properties
_GRAPH = 7
"""The number of the field `graph` in onnx.proto's ModelProto."""
_LARGEST_FIELD = 30
"""No field of ModelProto has a larger number."""

_COPY_AGAIN = "download or copy it again, and compare its size with the original's"
_EXPORT = "export the network itself to ONNX: torch.onnx.export, or python -m convnet_core export --factory"
_TF2ONNX = "it is TensorFlow's already; python -m tf2onnx.convert makes ONNX of it"
_CHECKPOINT = FileKind("a PyTorch checkpoint (.pt, .pth)", _EXPORT)
_SAVED_MODEL_FOLDER = FileKind("the folder of a TensorFlow SavedModel", _TF2ONNX)

_FIXES = {
    file_kinds.EMPTY: _COPY_AGAIN,
    file_kinds.SAFETENSORS: f"it holds weights without the network: {_EXPORT}",
    file_kinds.TORCHSCRIPT: _EXPORT,
    file_kinds.TORCH_EXPORT: "torch.onnx.export(torch.export.load(FILE), dynamo=True).save(...) makes ONNX of it",
    file_kinds.PICKLE: _EXPORT,
    file_kinds.GGUF: _EXPORT,
    file_kinds.KERAS: "model.export(FILE, format='onnx') in Keras makes ONNX of it",
    file_kinds.HDF5: "model.export(FILE, format='onnx') in Keras makes ONNX of it",
    file_kinds.SAVED_MODEL: _TF2ONNX,
    file_kinds.GRAPH_DEF: _TF2ONNX,
    file_kinds.TFLITE: "it is what a conversion ends with: start from the model that it was made of",
    file_kinds.ORT: "name the .onnx file that it was made of",
    file_kinds.NPZ: "name the model here, and the arrays with --input",
    file_kinds.NPY: "name the model here, and the array with --input",
    file_kinds.JSON: "open it in an editor: it may be a server's error message",
}
"""What to do about a file that should be an ONNX model; of others, what file_kinds says."""


def require_onnx(path: Path, shown: str | None = None) -> None:
    """Raises ModelError where a file is missing, or is plainly something else; `shown` is its name in the message."""
    shown = shown or str(path)
    if not path.exists():
        raise ModelError(f"{shown}: no such file")
    kind = _folder_kind(path) if path.is_dir() else _file_kind(path)
    if kind is not None:
        what = kind.name if kind.name.startswith(("a ", "an ", "the ")) or "-compressed" in kind.name else "a text file"
        raise ModelError(f"{shown} is {what}", hint=_FIXES.get(kind) or kind.fix or "choose an .onnx file")


def _file_kind(path: Path) -> FileKind | None:
    """What a file is; None where it may be an ONNX model."""
    kind = file_kind(path)
    if kind is None:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith((b"PK\x03\x04", b"\x80\x02")):  # file_kind tells nothing of PyTorch's own files
            return _CHECKPOINT
    return None if kind is file_kinds.ONNX else kind


def _folder_kind(path: Path) -> FileKind:
    if (path / "saved_model.pb").is_file():
        return _SAVED_MODEL_FOLDER
    inside = sorted(file.name for file in path.glob("*.onnx"))
    return FileKind("a folder, not a file", f"name the file in it: {inside[0]}" if inside else "choose an .onnx file")


def damage_error(path: Path, shown: str | None = None) -> ModelError:
    """Why protobuf cannot read a file that `need_onnx` lets through, or finds no graph in it."""
    shown, size = shown or str(path), path.stat().st_size
    if size > ONE_FILE:
        hint = "keep its weights in another file: onnx.save(model, FILE, save_as_external_data=True)"
        return ModelError(f"{shown} has {size:,} bytes, and protobuf reads at most {ONE_FILE:,}", hint)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        fields = list(itertools.islice(_fields(content), _MOST_FIELDS))
    numbers = [number for number, _ in fields]
    if numbers[0] > _GRAPH or max(numbers) > _LARGEST_FIELD:
        return ModelError(f"{shown} is not an ONNX model, nor of another known kind", "choose an .onnx file")
    needed = max(end for _, end in fields)
    if needed > size:
        return ModelError(f"{shown} is cut off: it has {size:,} bytes, and needs {needed:,} at least", _COPY_AGAIN)
    if _GRAPH not in numbers:
        return ModelError(
            f"{shown} holds no ONNX graph: it is cut off, or is another protobuf file (a tensor)", _COPY_AGAIN
        )
    return ModelError(f"{shown} is a damaged ONNX model: protobuf cannot read what is inside it", _COPY_AGAIN)


def _fields(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """For each outermost field of a protobuf message: its number, and the byte at which it ends."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, place = _varint(data, place)
        elif wire == 2:
            length, place = _varint(data, place)
            place += length
        else:
            place += {1: 8, 5: 4}.get(wire, 0)
            number = number if wire in (1, 5) else _LARGEST_FIELD + 1  # a group: no file of today has one
        yield number, place


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    """A number of protobuf at a place, and the place after it; one that is cut off ends after the data."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value, place, shift = value | (byte & 127) << shift, place + 1, shift + 7
        if byte < 128:
            return value, place
    return value, len(data) + 1
