"""The inputs and outputs of a converted model, and the map between their ONNX and TensorFlow names.

TensorFlow requires argument names to be Python identifiers and op names not to start with an underscore. Valid names
stay unchanged. In other names, invalid characters become `_`; a name that then starts with a digit or underscore
gets the prefix `t_`; a Python keyword gets the suffix `_`; duplicates get `_2`, `_3`, and so on. The map is stored next
to the artifacts as `signature.json`.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json, write_json
from convnet_core.errors import ModelError, one_line
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.tensors.arrays import Array, TensorInfo

FILE = "signature.json"
_NO_LAYOUTS: Mapping[str, tuple[int, ...]] = {}


@dataclass(frozen=True)
class Port:
    """An input or output: its ONNX and TensorFlow names, dtype and shape.

    `shape` and `dtype` are TensorFlow's. `int8` is the dtype in the int8 file if it differs: integers with the scale
    and zero point stored in the file. `perm` is set if the order of dimensions differs from ONNX: dimension i is
    dimension perm[i] in ONNX. `symbols` are the names of the dimensions in ONNX's order.
    """

    onnx: str
    tensorflow: str
    dtype: str
    shape: tuple[int | None, ...]
    int8: str = ""
    perm: tuple[int, ...] = ()
    symbols: tuple[str, ...] = ()

    @property
    def info(self) -> TensorInfo:
        """The ONNX name, dtype, and shape in ONNX's order."""
        shape = tuple(self.shape[self.perm.index(axis)] for axis in range(len(self.perm))) if self.perm else self.shape
        return TensorInfo(self.onnx, self.dtype, shape, self.symbols)

    def from_onnx(self, array: Array) -> Array:
        """Transpose an array from ONNX's to TensorFlow's order of dimensions. Returns a view."""
        return array.transpose(self.perm) if self.perm else array

    def lay_out(self, array: Array) -> Array:
        """The same array in ONNX's order, with its memory laid out in TensorFlow's order."""
        return self.to_onnx(np.ascontiguousarray(self.from_onnx(array))) if self.perm else array

    def to_onnx(self, array: Array) -> Array:
        """Transpose an array from TensorFlow's to ONNX's order. Returns a view; bytes are decoded to `str`."""
        if array.dtype.kind in "OS":  # TensorFlow returns strings as bytes
            array = np.array([text.decode() for text in array.ravel()], object).reshape(array.shape)
        return array.transpose(np.argsort(self.perm)) if self.perm else array


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a converted model."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, model: onnx.ModelProto, layouts: Mapping[str, tuple[int, ...]] = _NO_LAYOUTS) -> Signature:
        """The signature of an ONNX model. `layouts` has the `perm` of reordered inputs and outputs, by ONNX name."""
        inputs, outputs = model_file.inputs(model), model_file.outputs(model)
        names = tensorflow_names(info.name for info in (*inputs, *outputs))
        ports = []
        for info, name in zip((*inputs, *outputs), names, strict=True):
            perm = layouts.get(info.name, ())
            shape = tuple(info.shape[axis] for axis in perm) if perm else info.shape
            ports.append(Port(info.name, name, info.dtype, shape, perm=perm, symbols=info.symbols))
        return cls(tuple(ports[: len(inputs)]), tuple(ports[len(inputs) :]))

    def with_int8(self, dtypes: Mapping[str, str]) -> Signature:
        """A copy with the int8 file's dtypes, given by TensorFlow name."""

        def update(port: Port) -> Port:
            dtype = dtypes.get(port.tensorflow, port.dtype)
            return dataclasses.replace(port, int8=dtype) if port.dtype == "float32" != dtype else port

        return Signature(tuple(map(update, self.inputs)), tuple(map(update, self.outputs)))

    def save(self, folder: Path) -> None:
        """Write `signature.json`."""
        write_json(folder / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Signature:
        """Read `signature.json`. Raises OSError if it does not exist, ModelError if it is damaged."""
        try:
            return dataclass_from_json(cls, read_json(folder / FILE))
        except (ValueError, TypeError) as error:
            raise ModelError(
                _("{path} is damaged: {reason}", path=folder / FILE, reason=one_line(error)), hint=_("convert again")
            ) from error


def tensorflow_names(names: Iterable[str]) -> list[str]:
    """Unique TensorFlow names by the rule above, in the same order."""
    used_names: set[str] = set()
    result = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not plain or plain[0].isdigit() or plain[0] == "_":
            plain = f"t_{plain.lstrip('_')}"
        if keyword.iskeyword(plain):
            plain += "_"
        candidate, number = plain, 2
        while candidate.lower() in used_names:  # TensorFlow treats `X` and `x` as the same argument
            candidate, number = f"{plain}_{number}", number + 1
        used_names.add(candidate.lower())
        result.append(candidate)
    return result
