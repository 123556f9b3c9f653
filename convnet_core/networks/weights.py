"""Files of weights: read without running anything that is in them, and written."""

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

_ZIP = b"PK\x03\x04"  # what PyTorch knows its own archives by; it reads all others as one pickle after another
_SAVE = "torch.save(model.state_dict(), 'weights.pth')"
_HINT = f"save it with {_SAVE}"
_FIXES = {
    file_kinds.TORCHSCRIPT: "its weights alone: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth') in Python",
    file_kinds.TORCH_EXPORT: "its weights alone: torch.save(torch.export.load(FILE).state_dict, 'weights.pth') "
    "in Python",
    file_kinds.PICKLE: f"a pickle can run code, so it is not opened: save the weights with {_SAVE}",
    file_kinds.ONNX: "python -m convnet_core convert --onnx FILE takes ONNX models",
}


class _Record(dict[Any, Any]):
    """Stands in for an object beside the weights, so that its class is not needed; what it is made of is dropped."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None: ...


_RECORDS = (
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
"""What training programs put beside the weights (an accuracy, their arguments) and PyTorch does not load."""

_LONGEST = 1000  # characters of a name; a small file could make names of gigabytes


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth, .safetensors or .npz file, of any dtype; no code of the file is run.

    Of dicts and lists inside each other the keys are joined by dots, as in a `state_dict`. Raises ModelError where
    the file cannot be read or is something else.
    """
    try:
        kind = file_kind(path)
        value = _read(path, kind)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise ModelError(f"{path} is a folder", hint="name the file of weights in it") from error
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"{path} is cut off or damaged: {one_line(error)}", hint="copy or download the file again"
        ) from error
    except ModelError:
        raise
    except Exception as error:  # safetensors, zipfile, NumPy and torch each raise kinds of their own
        if type(error).__name__ == "UnpicklingError":  # what weights_only=True answers to anything but tensors
            raise _refusal(path, str(error)) from error
        raise ModelError(
            f"{path} cannot be read as weights: {one_line(error)}", hint="it may be cut off: copy or download it again"
        ) from error
    found = _tensors(value, path)
    if not found:
        raise ModelError(f"{path} does not hold a state_dict: there are no named tensors in it", hint=_HINT)
    return found


def _read(path: Path, kind: FileKind | None) -> Any:
    """What the file holds. Raises errors of many kinds."""
    if kind is file_kinds.SAFETENSORS or (kind is None and path.suffix == ".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    if kind is file_kinds.NPZ:
        archives.check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    if kind is not None:
        raise ModelError(
            f"{path} is {kind.name}; weights are a state_dict in a .pth, .safetensors or .npz file",
            hint=kind.fix or _FIXES.get(kind, _HINT),
        )
    return load_pth(path, "cpu")


def _refusal(path: Path, said: str) -> ModelError:
    _, _, after = said.partition("GLOBAL ")
    name = after.split()[0] if after else "something else"
    return ModelError(
        f"{path} holds more than tensors ({name}), and is not loaded because it could run code",
        hint=f"save only the weights, in the program that made it: {_SAVE}",
    )


def _tensors(value: Any, path: Path) -> dict[str, Tensor]:
    """The tensors in containers inside each other, by their keys; a container that appears twice is read once."""
    found: dict[str, Tensor] = {}
    waiting, seen = [("", value)], set[int]()
    while waiting:
        prefix, container = waiting.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        for key, item in _items(container):
            name = prefix + key
            if len(name) > _LONGEST:
                raise ModelError(f"{path} does not hold a state_dict: it has a name of over {_LONGEST} characters")
            if isinstance(item, Tensor):
                found[name] = item.detach()
            else:
                waiting.append((f"{name}.", item))
    return found


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    """What a dict or a list holds, by its key or place; nothing of anything else."""
    if isinstance(container, dict):
        yield from ((key, item) for key, item in container.items() if isinstance(key, str))
        container = [item for key, item in container.items() if not isinstance(key, str)]
    if isinstance(container, list | tuple):
        yield from ((str(place), item) for place, item in enumerate(container))


def load_pth(path: Path, device: torch.device | str) -> Any:
    """`torch.load` of tensors in plain containers alone. Raises errors of many kinds.

    PyTorch also lets a file make a bytearray of any size: 30 bytes would take all memory. No weights need one.
    Nor are weights compressed: an archive that becomes more than it is would take memory in the same way. It is held
    in memory once more while it is read.
    """
    _weights_only_unpickler._get_allowed_globals().pop("builtins.bytearray", None)
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    with safe_globals([(_Record, name) for name in _RECORDS]):
        return torch.load(archives.copy_archive(path) if zipped else path, map_location=device, weights_only=True)


def save_pth(value: Any, path: Path) -> None:
    """`torch.save`, which in PyTorch 2.14 takes a full disk for an inconsistency of its own when it writes itself.

    Raises OSError.
    """
    content = io.BytesIO()
    torch.save(value, content)
    path.write_bytes(content.getbuffer())
