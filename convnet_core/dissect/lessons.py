"""What goes wrong in real life, put in on purpose: each gives a case with one fault, and says what has to be found."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
from torch import nn

from convnet_core.config import ConvertConfig, ExportConfig
from convnet_core.convert import convert
from convnet_core.dissect.case import Case
from convnet_core.errors import ConfigError, UnsupportedOpError
from convnet_core.events import Monitor
from convnet_core.export import export, export_as_it_is
from convnet_core.tensors import Array, Feeds


@dataclass(frozen=True)
class Bench:
    """What a lesson works with: the healthy case, its network and how it is exported and converted, samples to
    calibrate with, and a folder to write into.
    """

    case: Case
    network: nn.Module
    exporting: ExportConfig
    converting: ConvertConfig
    calibration: Feeds
    folder: Path

    def converted(self, model: onnx.ModelProto, calibration: Feeds | None = None, **changes: str) -> Path:
        """A folder with what a converter makes of a model."""
        folder = self.folder / "converted"
        folder.mkdir(parents=True, exist_ok=True)
        config = self.converting.replace(**changes)
        convert(model, folder, config, self.calibration if calibration is None else calibration, Monitor())
        return folder

    def written(self, model: onnx.ModelProto) -> Path:
        """The file of a model."""
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return path


Lesson = Callable[[Bench], Case]


def train_mode(bench: Bench) -> Case:
    """Exported in train mode: batch norm then uses the statistics of the batch."""
    made = export_as_it_is(copy.deepcopy(bench.network).train(), bench.exporting)
    return dataclasses.replace(bench.case, path=bench.written(made), folder=bench.converted(made))


def flatten_order(bench: Bench) -> Case:
    """Values flattened channels last meet weights that were made for channels first."""
    model = _copy(bench.case.model)
    gemm = next((node for node in reversed(model.graph.node) if node.op_type == "Gemm"), None)
    entry = next((item for item in bench.case.entries if gemm is not None and item["name"] == gemm.name), None)
    place = entry["weights"].get(gemm.input[1]) if entry is not None and gemm is not None else None
    if gemm is None or place is None or not place["split"]:
        raise ConfigError("this network flattens no channels-last values into a linear layer")
    weights = _weight(model, gemm.input[1])
    from convnet_core.convert.places import Place

    # What the converter reorders to the order of the original: the artefact then has the original, unordered.
    _set(model, gemm.input[1], Place.from_json(place).value(weights))
    return dataclasses.replace(bench.case, folder=bench.converted(model))


def epsilon(bench: Bench) -> Case:
    """Exported with another epsilon than the network has: it is in the folded weights."""
    other = copy.deepcopy(bench.network)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.05
    made = export(other, bench.exporting).model
    return dataclasses.replace(bench.case, path=bench.written(made), folder=bench.converted(made))


def transposed(bench: Bench) -> Case:
    """A convolution's kernel with its rows and columns exchanged on the way."""
    model = _copy(bench.case.model)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    _set(model, conv.input[1], _weight(model, conv.input[1]).transpose(0, 1, 3, 2))
    return dataclasses.replace(bench.case, folder=bench.converted(model))


def int8_noise(bench: Bench) -> Case:
    """int8 calibrated on noise, not on images."""
    rng = np.random.default_rng(0)
    noise = {
        name: (rng.standard_normal(array.shape) * 0.05).astype(array.dtype) for name, array in bench.calibration.items()
    }
    return dataclasses.replace(bench.case, folder=bench.converted(bench.case.model, noise))


def not_scaled(bench: Bench) -> Case:
    """Pixels from 0 to 255 into a network that has learned from 0 to 1."""
    samples, many = (
        {name: array * np.float32(255) for name, array in feeds.items()}
        for feeds in (bench.case.samples, bench.case.many)
    )
    return dataclasses.replace(bench.case, samples=samples, many=many)


def frozen_batch(bench: Bench) -> Case:
    """A reshape with the batch of the example in it."""
    model = _copy(bench.case.model)
    reshape = next(node for node in model.graph.node if node.op_type == "Reshape")
    shape = _weight(model, reshape.input[1])
    shape[0] = 1
    _set(model, reshape.input[1], shape)
    del model.graph.value_info[:]
    return dataclasses.replace(bench.case, path=bench.written(model), folder=bench.converted(model))


def opset(bench: Bench) -> Case:
    """Operators in versions that onnx-tf does not have."""
    made = export(bench.network, bench.exporting.replace(opset=20)).model
    path = bench.written(made)
    try:
        bench.converted(made, converter="onnx-tf")
    except UnsupportedOpError as error:
        return dataclasses.replace(bench.case, path=path, folder=None, refused=str(error))
    raise ConfigError("onnx-tf takes this network at opset 20, so there is nothing to see")


LESSONS: dict[str, tuple[Lesson, str]] = {
    "train-mode": (train_mode, "train-mode"),
    "flatten-order": (flatten_order, "flatten-order"),
    "epsilon": (epsilon, "epsilon"),
    "transposed": (transposed, "transposed-weight"),
    "int8-noise": (int8_noise, "int8-ranges"),
    "not-scaled": (not_scaled, "data"),
    "frozen-batch": (frozen_batch, "frozen-batch"),
    "opset": (opset, "unsupported"),
}
"""By name: what puts the fault in, and the kind of the finding that has to come out."""


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def _weight(model: onnx.ModelProto, name: str) -> Array:
    return np.array(onnx.numpy_helper.to_array(next(item for item in model.graph.initializer if item.name == name)))


def _set(model: onnx.ModelProto, name: str, value: Array) -> None:
    tensor = next(item for item in model.graph.initializer if item.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
