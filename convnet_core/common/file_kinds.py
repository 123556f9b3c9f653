"""Recognize a file's format by its first bytes, for the error message when a file is not what its name suggests."""

from __future__ import annotations

import codecs
import zipfile
from dataclasses import dataclass
from pathlib import Path

from convnet_core.language import N_, _

_HEAD = 4096  # bytes to read


@dataclass(frozen=True)
class FileKind:
    """A file format, such as "a web page (HTML)", and how to get the right file; `fix` is empty if unknown.

    Both are English; `what` and `hint` are in the language of the session.
    """

    name: str
    fix: str = ""

    @property
    def what(self) -> str:
        return _(self.name)

    @property
    def hint(self) -> str:
        return _(self.fix) if self.fix else ""


EMPTY = FileKind(N_("an empty file"), N_("download or export it again"))
LFS = FileKind(N_("a Git LFS pointer, not the file itself"), N_("`git lfs pull` in its repository fetches the file"))
HTML = FileKind(N_("a web page (HTML), not the file itself"), N_("use the link that downloads the raw file"))
JSON = FileKind(N_("a JSON file"))
SAFETENSORS = FileKind(N_("a safetensors file"))
NPZ = FileKind(N_("a NumPy archive (.npz)"))
TORCHSCRIPT = FileKind(N_("a TorchScript program"))
TORCH_EXPORT = FileKind(N_("an exported PyTorch program (.pt2)"))
KERAS = FileKind(N_("a Keras model"))
HDF5 = FileKind(N_("an HDF5 file (Keras .h5)"))
TFLITE = FileKind(N_("a TFLite model"))
ONNX = FileKind(N_("an ONNX model"))
GGUF = FileKind(N_("a GGUF file"))
PICKLE = FileKind(N_("a Python pickle"))
ORT = FileKind(N_("a model in ONNX Runtime's own format (.ort)"))
SAVED_MODEL = FileKind(N_("the saved_model.pb of a TensorFlow SavedModel"))
GRAPH_DEF = FileKind(N_("a frozen graph of TensorFlow (.pb)"))
NPY = FileKind(N_("a NumPy array (.npy)"))
ANNEX = FileKind(
    N_("a git-annex pointer, not the file itself"), N_("`git annex get` in its repository fetches the file")
)
XML = FileKind(N_("an XML document"), N_("open it in an editor: it may be a server's error message"))
PICTURE = FileKind(N_("a picture"))
PDF = FileKind(N_("a PDF document"))
BZIP2 = FileKind(N_("bzip2-compressed"), N_("unpack it first: bunzip2 FILE"))
XZ = FileKind(N_("xz-compressed"), N_("unpack it first: unxz FILE"))
ZSTD = FileKind(N_("Zstandard-compressed"), N_("unpack it first: unzstd FILE"))
SEVEN_ZIP = FileKind(N_("a 7z archive"), N_("unpack it first: 7z x FILE"))
GZIP = FileKind(N_("gzip-compressed"), N_("unpack it first: gunzip FILE"))
TAR = FileKind(N_("a tar archive"), N_("unpack it first: tar -xf FILE"))
ZIP = FileKind(N_("a zip archive"), N_("unpack it first: unzip FILE"))
TEXT = FileKind(N_("a text file"))

_STARTS = (
    (b"version https://git-lfs.github.com", LFS),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x1f\x8b", GZIP),
    (b"GGUF", GGUF),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x93NUMPY", NPY),
    (b"\x89PNG", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"%PDF", PDF),
)
_FLATBUFFERS = {b"TFL3": TFLITE, b"ORTM": ORT}
_TENSORFLOW = (b"\x12\x05Const", b"\x12\x0bPlaceholder", b"\n\x05Const", b"\n\x05serve")
"""Bytes near the start of TensorFlow's protobuf messages: an operator's name, or a graph's tag."""
_TORCH_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")  # torch.serialization.MAGIC_NUMBER as a pickle


def file_kind(path: Path) -> FileKind | None:
    """The format of a file; None for PyTorch's formats and for unknown ones. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\0"):
        return EMPTY
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    kind = next((kind for start, kind in _STARTS if head.startswith(start)), None)
    if kind is not None:
        return kind
    if head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5:
        return None if head.startswith(_TORCH_LEGACY) else PICKLE
    if head[4:8] in _FLATBUFFERS:
        return _FLATBUFFERS[head[4:8]]
    if head[257:262] == b"ustar":
        return TAR
    if head[8:9] == b"{" and 0 < int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return HTML
    if _is_text(head):
        return _text_kind(start)
    if head.startswith((b"\x08\x01\x12", b"\n")) and any(name in head for name in _TENSORFLOW):
        return GRAPH_DEF if head.startswith(b"\n") else SAVED_MODEL
    # An ONNX file begins with its IR version (field 1, one byte), usually followed by the producer's name (field 2).
    if head[0] == 0x08 and len(head) > 1 and 0 < head[1] < 32 and head[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42"):
        return ONNX
    return None


def _zip_kind(path: Path) -> FileKind | None:
    """The format of a zip archive, by its members' names; None for PyTorch weights and unreadable archives."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return None
    ends = {name.partition("/")[2] or name for name in names}
    if names and all(name.endswith(".npy") for name in names):
        return NPZ
    if "archive_format" in ends or any(end.startswith("models/") for end in ends):
        return TORCH_EXPORT
    if any(end.startswith("code/") for end in ends):
        return TORCHSCRIPT
    if "data.pkl" in ends:
        return None
    return KERAS if "model.weights.h5" in names else ZIP


def _text_kind(start: bytes) -> FileKind:
    if b"annex/objects/" in start[:200]:
        return ANNEX
    if start.startswith(b"<"):
        return HTML if b"<html" in start else XML
    return JSON if start.startswith((b"{", b"[")) else TEXT


def _is_text(head: bytes) -> bool:
    """Whether these bytes are UTF-8 text; the last character may be cut off."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)
