"""Read files of weights without running code from them, and write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, _weights_only_unpickler
from torch.serialization import safe_globals

from convnet_core.common import archives, file_kinds
from convnet_core.common.file_kinds import FileKind, file_kind
from convnet_core.errors import ModelError, one_line
from convnet_core.language import N_, _

_ZIP = b"PK\x03\x04"  # how PyTorch recognizes its archives; it reads any other file as a series of pickles
_SAVE = "torch.save(model.state_dict(), 'weights.pth')"
_HINT = N_("save it with torch.save(model.state_dict(), 'weights.pth')")
_FIXES = {
    file_kinds.TORCHSCRIPT: N_("save only its weights: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')"),
    file_kinds.TORCH_EXPORT: N_("save only its weights: torch.save(torch.export.load(FILE).state_dict, 'weights.pth')"),
    file_kinds.PICKLE: N_(
        "a pickle can run code, so it is not opened: save the weights with torch.save(model.state_dict(), "
        "'weights.pth')"
    ),
    file_kinds.ONNX: N_("import an ONNX model instead (`python -m convnet_core convert --onnx FILE`)"),
}


class _Placeholder(dict[Any, Any]):
    """Replaces an object next to the weights without loading its class; drops its content."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None: ...


_REPLACED_CLASSES = (
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "argparse.Namespace",
    "types.SimpleNamespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "collections.defaultdict",
    "datetime.datetime",
    "datetime.timedelta",
)
"""Classes that training programs save next to the weights (an accuracy, arguments), and that PyTorch rejects."""

_MAX_NAME = 1000  # characters; nested containers in a small file could produce names of gigabytes


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth, .safetensors or .npz file, of any dtype. Runs no code from the file.

    The keys of nested dicts and lists are joined with dots, as in a `state_dict`. Raises ModelError if the file cannot
    be read or has another format.
    """
    try:
        kind = file_kind(path)
        value = _read(path, kind)
    except FileNotFoundError as error:
        raise ModelError(_("{path}: no such file", path=path)) from error
    except IsADirectoryError as error:
        raise ModelError(_("{path} is a folder", path=path), hint=_("pass the file of weights in it")) from error
    except zipfile.BadZipFile as error:
        raise ModelError(
            _("{path} is cut off or damaged: {reason}", path=path, reason=one_line(error)),
            hint=_("copy or download the file again"),
        ) from error
    except ModelError:
        raise
    except Exception as error:  # safetensors, zipfile, NumPy and torch raise many exception types
        if type(error).__name__ == "UnpicklingError":  # weights_only=True raises it for anything but tensors
            raise _unsafe_file_error(path, str(error)) from error
        raise ModelError(
            _("{path} cannot be read as weights: {reason}", path=path, reason=one_line(error)),
            hint=_("it may be cut off: copy or download it again"),
        ) from error
    tensors = _tensors(value, path)
    if not tensors:
        raise ModelError(_("{path} is not a state_dict: it has no named tensors", path=path), hint=_(_HINT))
    return tensors


def _read(path: Path, kind: FileKind | None) -> Any:
    """The content of the file. Raises many exception types."""
    if kind is file_kinds.SAFETENSORS or (kind is None and path.suffix == ".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    if kind is file_kinds.NPZ:
        archives.check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    if kind is not None:
        raise ModelError(
            _(
                "{path} is {what}; expected weights: a state_dict in a .pth, .safetensors or .npz file",
                path=path,
                what=kind.what,
            ),
            hint=kind.hint or _(_FIXES.get(kind, _HINT)),
        )
    return load_pth(path, "cpu")


def _unsafe_file_error(path: Path, reason: str) -> ModelError:
    after = reason.partition("GLOBAL ")[2]
    name = after.split()[0] if after else _("something else")
    return ModelError(
        _("{path} has more than tensors ({name}) and was not loaded because it could run code", path=path, name=name),
        hint=_("save only the weights, in the program that wrote it: {save}", save=_SAVE),
    )


def _tensors(value: Any, path: Path) -> dict[str, Tensor]:
    """The tensors in nested containers, by their joined keys; reads a container that appears twice only once."""
    tensors: dict[str, Tensor] = {}
    pending, seen = [("", value)], set[int]()
    while pending:
        prefix, container = pending.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        for key, item in _items(container):
            name = prefix + key
            if len(name) > _MAX_NAME:
                raise ModelError(
                    _(
                        "{path} is not a state_dict: it has a name of over {limit} characters",
                        path=path,
                        limit=_MAX_NAME,
                    )
                )
            if isinstance(item, Tensor):
                tensors[name] = item.detach()
            else:
                pending.append((f"{name}.", item))
    return tensors


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    """The items of a dict or list, by key or index; nothing for any other type."""
    if isinstance(container, dict):
        yield from ((key, item) for key, item in container.items() if isinstance(key, str))
        container = [item for key, item in container.items() if not isinstance(key, str)]
    if isinstance(container, list | tuple):
        yield from ((str(index), item) for index, item in enumerate(container))


def load_pth(path: Path, device: torch.device | str) -> Any:
    """`torch.load`, for tensors in plain containers only. Raises many exception types.

    Guards against two ways to exhaust the memory. PyTorch lets a file create a bytearray of any size, which 30 bytes of
    a file can do and weights never need, so this forbids it. And weights are not compressed, so an archive that unpacks
    to more than its size is an error. Reading takes the size of the file in memory twice.
    """
    _weights_only_unpickler._get_allowed_globals().pop("builtins.bytearray", None)
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP
    with safe_globals([(_Placeholder, name) for name in _REPLACED_CLASSES]):
        return torch.load(archives.copy_archive(path) if is_zip else path, map_location=device, weights_only=True)


def save_pth(value: Any, path: Path) -> None:
    """`torch.save` through a buffer, since PyTorch 2.14 reports a full disk as an internal error. Raises OSError."""
    content = io.BytesIO()
    torch.save(value, content)
    path.write_bytes(content.getbuffer())
