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
import onnx.shape_inference
from torch import nn

from convnet_core.config.stages import ConvertConfig, ExportConfig
from convnet_core.convert.convert import convert
from convnet_core.dissect.case import Case
from convnet_core.errors import ConfigError, UnsupportedOpError
from convnet_core.events import Monitor
from convnet_core.export.onnx_export import export, export_in_current_mode
from convnet_core.tensors.arrays import Array, Feeds


@dataclass(frozen=True)
class LessonSetup:
    """What a lesson works with: the healthy case, its network and how it is exported and converted, samples to
    calibrate with, and a folder to write into.
    """

    case: Case
    network: nn.Module
    exporting: ExportConfig
    converting: ConvertConfig
    calibration: Feeds
    folder: Path

    def exported(self, model: onnx.ModelProto) -> Case:
        """The case of another model, which is exported and converted."""
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return dataclasses.replace(self.converted(model), path=path)

    def converted(self, model: onnx.ModelProto, calibration: Feeds | None = None) -> Case:
        """The case where a converter was given this model instead of the exported one."""
        folder = self.folder / "converted"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            convert(model, folder, self.converting, self.calibration if calibration is None else calibration, Monitor())
        except UnsupportedOpError as error:
            return dataclasses.replace(self.case, folder=None, refused=error.nodes)
        return dataclasses.replace(self.case, folder=folder)

    def by(self, converter: str) -> LessonSetup:
        """The same with a converter of this name."""
        case = dataclasses.replace(self.case, converter=converter)
        return dataclasses.replace(self, case=case, converting=self.converting.replace(converter=converter))


Lesson = Callable[[LessonSetup], Case]


def train_mode(bench: LessonSetup) -> Case:
    """Exported in train mode: batch norm then uses the statistics of the batch."""
    made = export_in_current_mode(copy.deepcopy(bench.network).train(), bench.exporting)
    return bench.exported(made)


def flatten_order(bench: LessonSetup) -> Case:
    """Values flattened in one order meet weights that were made for the other.

    A converter that keeps images channels last reorders the weights of the layer behind the flattening: it is given
    weights which that puts back into ONNX's order. For one that keeps images channels first they are put channels last.
    """
    model = _copy(bench.case.model)
    makers = {name: node for node in model.graph.node for name in node.output}
    behind = (node for node in model.graph.node if node.op_type == "Gemm" and node.input[0] in makers)
    gemm = next((node for node in behind if makers[node.input[0]].op_type in ("Reshape", "Flatten")), None)
    shape = None if gemm is None else _shape(model, makers[gemm.input[0]].input[0])
    if gemm is None or shape is None or len(shape) != 4:
        raise ConfigError("this network flattens no image into a linear layer")
    entry = next(item for item in bench.case.entries if item.name == gemm.name)
    weights, reordered = _weight(model, gemm.input[1]), bool(entry.weights[gemm.input[1]].split)
    sizes, order = ((*shape[2:], shape[1]), (0, 3, 1, 2)) if reordered else (shape[1:], (0, 2, 3, 1))
    _set(model, gemm.input[1], weights.reshape(-1, *sizes).transpose(order).reshape(weights.shape))
    return bench.converted(model)


def epsilon(bench: LessonSetup) -> Case:
    """Exported with another epsilon than the network has: it is in the folded weights."""
    other = copy.deepcopy(bench.network)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.05
    made = export(other, bench.exporting).model
    return bench.exported(made)


def transposed(bench: LessonSetup) -> Case:
    """A convolution's kernel with its rows and columns exchanged on the way."""
    model = _copy(bench.case.model)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    _set(model, conv.input[1], _weight(model, conv.input[1]).transpose(0, 1, 3, 2))
    return bench.converted(model)


def int8_noise(bench: LessonSetup) -> Case:
    """int8 calibrated on noise, not on images."""
    rng = np.random.default_rng(0)
    noise = {
        name: (rng.standard_normal(array.shape) * 0.05).astype(array.dtype) for name, array in bench.calibration.items()
    }
    return bench.converted(bench.case.model, noise)


def not_scaled(bench: LessonSetup) -> Case:
    """Pixels from 0 to 255 into a network that has learned from 0 to 1."""
    samples, many = (
        {name: array * np.float32(255) for name, array in feeds.items()}
        for feeds in (bench.case.samples, bench.case.many)
    )
    return dataclasses.replace(bench.case, samples=samples, many=many)


def frozen_batch(bench: LessonSetup) -> Case:
    """A reshape with the batch of the example in it."""
    model = _copy(bench.case.model)
    reshape = next(node for node in model.graph.node if node.op_type == "Reshape")
    shape = _weight(model, reshape.input[1])
    shape[0] = 1
    _set(model, reshape.input[1], shape)
    del model.graph.value_info[:]
    return bench.exported(model)


def opset(bench: LessonSetup) -> Case:
    """Operators in versions that onnx-tf does not have."""
    case = bench.by("onnx-tf").exported(export(bench.network, bench.exporting.replace(opset=20)).model)
    if not case.refused:
        raise ConfigError("onnx-tf takes this network at opset 20, so there is nothing to see")
    return case


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


def _tensor(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    """A weight, or what a Constant node gives: without folded BatchNorms the exporter leaves a shape in one."""
    made = [node for node in model.graph.node if node.op_type == "Constant" and name in node.output]
    kept: list[onnx.TensorProto] = [item for item in model.graph.initializer if item.name == name]
    kept += [item.t for node in made for item in node.attribute if item.HasField("t")]
    if not kept:
        raise ConfigError(f"{name!r} is no constant of this network, so that the fault cannot be put in")
    return kept[0]


def _weight(model: onnx.ModelProto, name: str) -> Array:
    return np.array(onnx.numpy_helper.to_array(_tensor(model, name)))


def _shape(model: onnx.ModelProto, name: str) -> tuple[int, ...]:
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    dims = next(value.type.tensor_type.shape.dim for value in values if value.name == name)
    return tuple(dim.dim_value for dim in dims)


def _set(model: onnx.ModelProto, name: str, value: Array) -> None:
    tensor = _tensor(model, name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(value), tensor.name))
