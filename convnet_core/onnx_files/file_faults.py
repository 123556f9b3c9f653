"""Error messages for files that are not ONNX models: what the file is and what to do. Does not import onnx."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from pathlib import Path

from convnet_core.common import file_kinds
from convnet_core.common.file_kinds import FileKind, file_kind
from convnet_core.errors import ModelError
from convnet_core.language import N_, _

ONE_FILE = 2**31 - 1
"""Protobuf's limit for one file, in bytes."""

_MAX_FIELDS = 10_000  # to examine; a model has about a dozen, plus one per function and property
_GRAPH = 7
"""The number of the field `graph` in onnx.proto's ModelProto."""
_LARGEST_FIELD = 30
"""No field of ModelProto has a larger number."""

_COPY_AGAIN = N_("download or copy it again, and compare its size with the original's")
_EXPORT = N_("export the network itself to ONNX: torch.onnx.export (or python -m convnet_core export --factory)")
_TF2ONNX = N_("it is already a TensorFlow model; python -m tf2onnx.convert converts it to ONNX")
_CHECKPOINT = FileKind(N_("a PyTorch checkpoint (.pt, .pth)"), _EXPORT)
_SAVED_MODEL_FOLDER = FileKind(N_("the folder of a TensorFlow SavedModel"), _TF2ONNX)

_FIXES = {
    file_kinds.EMPTY: _COPY_AGAIN,
    file_kinds.SAFETENSORS: N_("it contains weights without the network: export the network itself to ONNX"),
    file_kinds.TORCHSCRIPT: _EXPORT,
    file_kinds.TORCH_EXPORT: N_(
        "torch.onnx.export(torch.export.load(FILE), dynamo=True).save(...) converts it to ONNX"
    ),
    file_kinds.PICKLE: _EXPORT,
    file_kinds.GGUF: _EXPORT,
    file_kinds.KERAS: N_("model.export(FILE, format='onnx') in Keras converts it to ONNX"),
    file_kinds.HDF5: N_("model.export(FILE, format='onnx') in Keras converts it to ONNX"),
    file_kinds.SAVED_MODEL: _TF2ONNX,
    file_kinds.GRAPH_DEF: _TF2ONNX,
    file_kinds.TFLITE: N_("it is already a converted model: use the model that it was converted from"),
    file_kinds.ORT: N_("use the .onnx file that it was created from"),
    file_kinds.NPZ: N_("give the model here, and the arrays as its inputs (--input)"),
    file_kinds.NPY: N_("give the model here, and the array as its input (--input)"),
    file_kinds.JSON: N_("open it in an editor: it may be a server's error message"),
}
"""What to do about files of these kinds. For other kinds, see `FileKind.fix`."""


def require_onnx(path: Path, shown: str | None = None) -> None:
    """Raise ModelError if a file is missing or clearly of another kind. `shown` is its name in the message."""
    shown = shown or str(path)
    if not path.exists():
        raise ModelError(_("{file}: no such file", file=shown))
    kind = _folder_kind(path) if path.is_dir() else _file_kind(path)
    if kind is not None:
        hint = _(_FIXES[kind]) if kind in _FIXES else kind.hint or _("choose an .onnx file")
        raise ModelError(_("{file} is {kind}", file=shown, kind=kind.what), hint)


def _file_kind(path: Path) -> FileKind | None:
    """The kind of a file, or None if it may be an ONNX model."""
    kind = file_kind(path)
    if kind is None:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith((b"PK\x03\x04", b"\x80\x02")):  # file_kind does not identify PyTorch files
            return _CHECKPOINT
    return None if kind is file_kinds.ONNX else kind


def _folder_kind(path: Path) -> FileKind:
    if (path / "saved_model.pb").is_file():
        return _SAVED_MODEL_FOLDER
    files = sorted(file.name for file in path.glob("*.onnx"))
    return FileKind(_("a folder, not a file"), _("choose the file in it: {file}", file=files[0]) if files else "")


def damage_error(path: Path, shown: str | None = None) -> ModelError:
    """The error for a file that passes `require_onnx` but has no readable graph."""
    shown, size = shown or str(path), path.stat().st_size
    if size > ONE_FILE:
        hint = _("store its weights in another file: onnx.save(model, FILE, save_as_external_data=True)")
        return ModelError(
            _(
                "{file} has {size:,} bytes, but protobuf reads at most {limit:,}",
                file=shown,
                size=size,
                limit=ONE_FILE,
            ),
            hint,
        )
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        fields = list(itertools.islice(_fields(content), _MAX_FIELDS))
    numbers = [field[0] for field in fields]
    if numbers[0] > _GRAPH or max(numbers) > _LARGEST_FIELD:
        return ModelError(
            _("{file} is not an ONNX model or any other known kind of file", file=shown), _("choose an .onnx file")
        )
    needed = max(field[1] for field in fields)
    if needed > size:
        return ModelError(
            _(
                "{file} is cut off: it has {size:,} bytes but needs at least {needed:,}",
                file=shown,
                size=size,
                needed=needed,
            ),
            _(_COPY_AGAIN),
        )
    if _GRAPH not in numbers:
        return ModelError(
            _("{file} contains no ONNX graph: it is cut off, or is another protobuf file (a tensor)", file=shown),
            _(_COPY_AGAIN),
        )
    return ModelError(_("{file} is a damaged ONNX model: protobuf cannot read its content", file=shown), _(_COPY_AGAIN))


def _fields(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """The number and end offset of each top-level field of a protobuf message."""
    offset = 0
    while offset < len(data):
        tag, offset = _varint(data, offset)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, offset = _varint(data, offset)
        elif wire == 2:
            length, offset = _varint(data, offset)
            offset += length
        else:
            offset += {1: 8, 5: 4}.get(wire, 0)
            number = number if wire in (1, 5) else _LARGEST_FIELD + 1  # a group, which is obsolete
        yield number, offset


def _varint(data: mmap.mmap, offset: int) -> tuple[int, int]:
    """The varint at an offset and the offset after it, which is beyond the data if the varint is cut off."""
    value = shift = 0
    while offset < len(data):
        byte = data[offset]
        value, offset, shift = value | (byte & 127) << shift, offset + 1, shift + 7
        if byte < 128:
            return value, offset
    return value, len(data) + 1
