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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import onnx

from convnet_core import onnx_model
from convnet_core.files import read_json, write_json
from convnet_core.tensors import TensorInfo

FILE = "signature.json"


@dataclass(frozen=True)
class Port:
    """An input or output: its name in ONNX, its name in TensorFlow, and what it takes."""

    onnx: str
    tensorflow: str
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def info(self) -> TensorInfo:
        """As a runtime reports it, under its ONNX name."""
        return TensorInfo(self.onnx, self.dtype, self.shape)


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a converted model."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Signature:
        """The signature that an ONNX model is converted with."""
        given, made = onnx_model.inputs(model), onnx_model.outputs(model)
        names = tensorflow_names(info.name for info in (*given, *made))
        ports = [
            Port(info.name, name, info.dtype, info.shape) for info, name in zip((*given, *made), names, strict=True)
        ]
        return cls(tuple(ports[: len(given)]), tuple(ports[len(given) :]))

    def save(self, folder: Path) -> None:
        """Write `signature.json`."""
        write_json(folder / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Signature:
        """Read `signature.json`."""
        value = read_json(folder / FILE)
        inputs, outputs = (
            tuple(Port(**{**port, "shape": tuple(port["shape"])}) for port in value[side])
            for side in ("inputs", "outputs")
        )
        return cls(inputs, outputs)


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
