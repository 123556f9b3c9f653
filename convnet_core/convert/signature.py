"""How ONNX names become names of a TensorFlow signature, and the map between the two.

TensorFlow wants Python identifiers as the names of a function's arguments, and no leading
underscore in the names of ops. The rule: every other character becomes `_`; `t_` goes in front of
what then starts with a digit or an underscore; a Python keyword gets `_` at its end; of equal names
the later ones get `_2`, `_3`, ... A name that is fine stays as it is. The map is stored beside the
artefacts as `signature.json`.
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
from convnet_core.onnx_files import model_file
from convnet_core.tensors.arrays import Array, TensorInfo

FILE = "signature.json"
_NO_LAYOUTS: Mapping[str, tuple[int, ...]] = {}


@dataclass(frozen=True)
class Port:
    """An input or output: its name in ONNX, its name in TensorFlow, and what it takes.

    `shape` and `dtype` are TensorFlow's. `int8` is its dtype in the int8 file where that is another: whole numbers, by
    the file's own scale and zero point. `perm` is there where its dimensions are in another order than in ONNX:
    dimension i is dimension perm[i] there. `symbols` are the names of its dimensions in ONNX, in ONNX's order.
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
        """As a runtime reports it: under its ONNX name, in ONNX's order of dimensions."""
        shape = tuple(self.shape[self.perm.index(axis)] for axis in range(len(self.perm))) if self.perm else self.shape
        return TensorInfo(self.onnx, self.dtype, shape, self.symbols)

    def from_onnx(self, array: Array) -> Array:
        """An array in ONNX's order of dimensions as TensorFlow takes it. A view."""
        return array.transpose(self.perm) if self.perm else array

    def lay_out(self, array: Array) -> Array:
        """The same array, in ONNX's order of dimensions, with its values in memory in TensorFlow's."""
        return self.to_onnx(np.ascontiguousarray(self.from_onnx(array))) if self.perm else array

    def to_onnx(self, array: Array) -> Array:
        """An array in TensorFlow's order of dimensions as ONNX has it, strings as `str`. A view, but of strings."""
        if array.dtype.kind in "OS":  # TensorFlow gives bytes
            array = np.array([text.decode() for text in array.ravel()], object).reshape(array.shape)
        return array.transpose(np.argsort(self.perm)) if self.perm else array


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a converted model."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, model: onnx.ModelProto, layouts: Mapping[str, tuple[int, ...]] = _NO_LAYOUTS) -> Signature:
        """The signature that an ONNX model is converted with; `layouts` has the `perm` of the ports that have one."""
        given, made = model_file.inputs(model), model_file.outputs(model)
        names = tensorflow_names(info.name for info in (*given, *made))
        ports = []
        for info, name in zip((*given, *made), names, strict=True):
            perm = layouts.get(info.name, ())
            shape = tuple(info.shape[axis] for axis in perm) if perm else info.shape
            ports.append(Port(info.name, name, info.dtype, shape, perm=perm, symbols=info.symbols))
        return cls(tuple(ports[: len(given)]), tuple(ports[len(given) :]))

    def with_int8(self, dtypes: Mapping[str, str]) -> Signature:
        """The same, where the int8 file has these dtypes, by TensorFlow name."""

        def port(of: Port) -> Port:
            dtype = dtypes.get(of.tensorflow, of.dtype)
            return dataclasses.replace(of, int8=dtype) if of.dtype == "float32" != dtype else of

        return Signature(tuple(map(port, self.inputs)), tuple(map(port, self.outputs)))

    def save(self, folder: Path) -> None:
        """Write `signature.json`."""
        write_json(folder / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Signature:
        """Read `signature.json`. Raises OSError where there is none, ModelError where it is damaged."""
        try:
            return dataclass_from_json(cls, read_json(folder / FILE))
        except (ValueError, TypeError) as error:
            raise ModelError(f"{folder / FILE} is damaged: {one_line(error)}", hint="convert again") from error


def tensorflow_names(names: Iterable[str]) -> list[str]:
    """The names by the rule above, in the same order, no two equal."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not plain or plain[0].isdigit() or plain[0] == "_":
            plain = f"t_{plain.lstrip('_')}"
        if keyword.iskeyword(plain):
            plain += "_"
        candidate, number = plain, 2
        while candidate.lower() in taken:  # TensorFlow takes `X` and `x` for the same argument
            candidate, number = f"{plain}_{number}", number + 1
        taken.add(candidate.lower())
        found.append(candidate)
    return found
