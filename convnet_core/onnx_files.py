"""What a file is that should be an ONNX model and is not: a sentence about it, and what to do. Does not import onnx."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from convnet_core.errors import ModelError

_HEAD = 2**16  # bytes that are looked at
ONE_FILE = 2**31 - 1
"""Bytes: protobuf's limit for one file."""

_GRAPH = 7
"""The number of the field `graph` in onnx.proto's ModelProto."""
_LARGEST_FIELD = 30
"""No field of ModelProto has a larger number than this."""


class Kind(NamedTuple):
    """What a file is, as the end of a sentence, and what to do about it."""

    what: str
    hint: str


_AGAIN = "download or copy it again, and compare its size with the original's"
_TO_ONNX = "export the network itself to ONNX: `torch.onnx.export`, or `python -m convnet_core export --factory`"
_TF_TO_ONNX = "it is TensorFlow's already; `python -m tf2onnx.convert` makes ONNX of it"
_UNPACK = "unpack it, and name the .onnx file inside"

_BEGINNINGS = {
    b"\x1f\x8b": Kind("is compressed with gzip", _UNPACK),
    b"BZh": Kind("is compressed with bzip2", _UNPACK),
    b"\xfd7zXZ\x00": Kind("is compressed with xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": Kind("is compressed with Zstandard", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": Kind("is a 7z archive", _UNPACK),
    b"Rar!": Kind("is a RAR archive", _UNPACK),
    b"\x89HDF": Kind("is an HDF5 file, most likely Keras weights or a Keras model", _TF_TO_ONNX),
    b"\x93NUMPY": Kind("is a NumPy array (.npy)", "name the model here, and the array with --input"),
    b"GGUF": Kind("is a GGUF file of llama.cpp", _TO_ONNX),
    b"\x89PNG": Kind("is a PNG picture", "name the .onnx file"),
    b"\xff\xd8\xff": Kind("is a JPEG picture", "name the .onnx file"),
    b"%PDF": Kind("is a PDF document", "name the .onnx file"),
}
_OF_FLATBUFFERS = {
    b"TFL3": Kind("is a TFLite model", "it is made already; the converter starts from the ONNX model"),
    b"ORTM": Kind("is in ONNX Runtime's own format (.ort)", "name the .onnx file that it was made of"),
}
_LFS = b"version https://git-lfs.github.com/spec/"


def need_onnx(path: Path, shown: str | None = None) -> None:
    """Raises ModelError where a file is missing, or is plainly something else; `shown` is its name in the message."""
    shown = shown or str(path)
    if path.is_dir():
        kind = _folder(path)
    elif not path.is_file():
        raise ModelError(f"{shown}: no such file")
    else:
        with path.open("rb") as file:
            found = _kind(file.read(_HEAD), path)
        if found is None:
            return
        kind = found
    raise ModelError(f"{shown} {kind.what}", hint=kind.hint)


def damage(path: Path, shown: str | None = None) -> ModelError:
    """Why protobuf cannot read a file that `need_onnx` lets through, or found no graph in it."""
    shown, size = shown or str(path), path.stat().st_size
    if size > ONE_FILE:
        hint = "keep its weights in another file: `onnx.save(model, path, save_as_external_data=True)`"
        return ModelError(f"{shown} has {size:,} bytes, and protobuf reads at most {ONE_FILE:,}", hint)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    fields = list(_fields(head, size))
    numbers = [number for number, _ in fields]
    if not numbers or numbers[0] not in (1, 2, _GRAPH) or max(numbers) > _LARGEST_FIELD:
        return ModelError(
            f"{shown} is not an ONNX model, nor any other format that is known here", "name an .onnx file"
        )
    end = max(end for _, end in fields)
    if end > size:
        return ModelError(f"{shown} is cut off: it has {size:,} bytes, and needs {end:,} at least", _AGAIN)
    if _GRAPH not in numbers:
        return ModelError(f"{shown} is an ONNX file without a graph: it is cut off, or was never finished", _AGAIN)
    return ModelError(f"{shown} is a damaged ONNX model: protobuf cannot read what is inside it", _AGAIN)


def _kind(head: bytes, path: Path) -> Kind | None:
    """What a file is by its first bytes; None where it may be an ONNX model."""
    if not head:
        return Kind("is empty (0 bytes)", _AGAIN)
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if re.match(rb"\x80[\x02-\x05][^\x00]", head):
        return Kind("is a Python pickle, most likely a PyTorch checkpoint in the old format", _TO_ONNX)
    if (found := _OF_FLATBUFFERS.get(head[4:8])) is not None:
        return found
    if head[257:262] == b"ustar":
        return Kind("is a tar archive", _UNPACK)
    return _safetensors(head) or _tensorflow(head) or _text(head)


def _folder(path: Path) -> Kind:
    if (path / "saved_model.pb").is_file():
        return Kind("is the folder of a TensorFlow SavedModel", _TF_TO_ONNX)
    inside = sorted(file.name for file in path.glob("*.onnx"))
    return Kind("is a folder, not a file", f"name the file in it: {inside[0]}" if inside else "name an .onnx file")


def _zip(path: Path) -> Kind:
    """PyTorch, Keras and NumPy all write ZIP archives."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError, struct.error):
        return Kind("is a ZIP archive that is damaged or cut off", _AGAIN)
    if any(name.endswith("constants.pkl") for name in names):
        return Kind("is a TorchScript archive of PyTorch", _TO_ONNX)
    if any(name.endswith("data.pkl") for name in names):
        return Kind("is a PyTorch checkpoint (.pt, .pth)", _TO_ONNX)
    if "config.json" in names and "metadata.json" in names:
        return Kind("is a Keras model (.keras)", "`model.export(path, format='onnx')` in Keras makes ONNX of it")
    if names and all(name.endswith(".npy") for name in names):
        return Kind("is an archive of NumPy arrays (.npz)", "name the model here, and the arrays with --input")
    inside = next((name for name in names if name.endswith(".onnx")), "")
    return Kind("is a ZIP archive", f"unpack it, and name {inside}" if inside else _UNPACK)


def _safetensors(head: bytes) -> Kind | None:
    """Eight bytes with the length of a header, which is JSON."""
    if len(head) < 10 or head[8:9] != b"{" or struct.unpack("<Q", head[:8])[0] > 10**8:
        return None
    return Kind("is a safetensors file: weights alone, without the network", _TO_ONNX)


def _tensorflow(head: bytes) -> Kind | None:
    """SavedModel and GraphDef are protobuf messages too: their first fields, and an operator's name near them."""
    if not any(name in head for name in (b"\x12\x05Const", b"\x12\x0bPlaceholder", b"\n\x05Const", b"\n\x05serve")):
        return None
    if head.startswith(b"\x08\x01\x12"):
        return Kind("is the saved_model.pb of a TensorFlow SavedModel", _TF_TO_ONNX)
    return Kind("is a frozen graph of TensorFlow", _TF_TO_ONNX) if head.startswith(b"\n") else None


def _text(head: bytes) -> Kind | None:
    """What is readable as text; a model is not, since it begins with small numbers."""
    try:
        text = head[:-3].decode() if len(head) == _HEAD else head.decode()  # a letter may be cut at the end
    except UnicodeDecodeError:
        return None
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return None
    start = text.lstrip("\ufeff \t\r\n").lower()
    if head.startswith(_LFS):
        size = re.search(r"^size (\d+)", text, re.MULTILINE)
        bytes_ = f" of {int(size[1]):,} bytes" if size else ""
        return Kind(
            f"is a Git LFS pointer, not the model{bytes_} that it stands for",
            "run `git lfs pull` in its repository, or download the file itself",
        )
    if "annex/objects/" in text[:200]:
        return Kind("is a git-annex pointer, not the model", "run `git annex get` in its repository")
    if start.startswith(("<!doctype html", "<html", "<head", "<body", "<script")) or "<html" in start[:1000]:
        return Kind(
            "is an HTML page, not a model",
            "the download link led to a page (a login, an error, a preview): use the link to the raw file",
        )
    if start.startswith("<"):
        return Kind("is an XML document, not a model", "open it in an editor: it may be a server's error message")
    if start.startswith(("{", "[")):
        return Kind("is JSON text, not a model", "open it in an editor: it may be a server's error message")
    return Kind("is a text file, not a model", "name an .onnx file; open this one in an editor to see what it is")


def _fields(head: bytes, size: int) -> Iterator[tuple[int, int]]:
    """For each outermost field of a protobuf message, as far as `head` goes: its number, and where it ends."""
    place = 0
    while place < len(head):
        tag, place = _varint(head, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, place = _varint(head, place)
        elif wire == 2:
            length, place = _varint(head, place)
            place += length
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        else:
            yield _LARGEST_FIELD + 1, size  # a group: no file of today has one
            return
        yield number, place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of protobuf at a place, and the place after it; past the end it counts as going on."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value, place, shift = value | (byte & 127) << shift, place + 1, shift + 7
        if byte < 128:
            return value, place
    return value, len(data) + 1
