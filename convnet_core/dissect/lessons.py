"""Common real-life mistakes, injected on purpose: each lesson returns a case with one fault, which must be found."""

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
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.dissect.case import Case
from convnet_core.errors import ConfigError, UnsupportedOpError
from convnet_core.events import Monitor
from convnet_core.export.onnx_export import export, export_in_current_mode
from convnet_core.language import _
from convnet_core.tensors.arrays import Array, Feeds


@dataclass(frozen=True)
class LessonSetup:
    """What a lesson starts from: the healthy case, its network, the configs of its export and conversion, calibration
    samples, and a folder to write to.
    """

    case: Case
    network: nn.Module
    export_config: ExportConfig
    convert_config: ConvertConfig
    calibration: Feeds
    folder: Path

    def export_case(self, model: onnx.ModelProto) -> Case:
        """The case of another model, exported and converted."""
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return dataclasses.replace(self.convert_case(model), path=path)

    def convert_case(self, model: onnx.ModelProto, calibration: Feeds | None = None) -> Case:
        """The case in which this model was converted instead of the exported one."""
        folder = self.folder / "converted"
        folder.mkdir(parents=True, exist_ok=True)
        samples = self.calibration if calibration is None else calibration
        try:
            convert(LoadedModel(model), folder, self.convert_config, samples, Monitor())
        except UnsupportedOpError as error:
            return dataclasses.replace(self.case, folder=None, refused=error.nodes)
        return dataclasses.replace(self.case, folder=folder)

    def with_converter(self, converter: str) -> LessonSetup:
        """The same setup with another converter."""
        case = dataclasses.replace(self.case, converter=converter)
        return dataclasses.replace(self, case=case, convert_config=self.convert_config.replace(converter=converter))


Lesson = Callable[[LessonSetup], Case]


def train_mode(setup: LessonSetup) -> Case:
    """Exported in train mode: BatchNorm then uses the statistics of the batch."""
    model = export_in_current_mode(copy.deepcopy(setup.network).train(), setup.export_config)
    return setup.export_case(model)


def flatten_order(setup: LessonSetup) -> Case:
    """Flattened values in one channel order meet weights in the other.

    A converter that lays images out channels last reorders the weights of the layer after the flattening: here it gets
    weights that this puts back into ONNX's order. For a converter that keeps channels first they are put channels last.
    """
    model = _copy(setup.case.model)
    makers = {name: node for node in model.graph.node for name in node.output}
    gemms = (node for node in model.graph.node if node.op_type == "Gemm" and node.input[0] in makers)
    gemm = next((node for node in gemms if makers[node.input[0]].op_type in ("Reshape", "Flatten")), None)
    shape = None if gemm is None else _shape(model, makers[gemm.input[0]].input[0])
    if gemm is None or shape is None or len(shape) != 4:
        raise ConfigError(_("this network does not flatten an image into a linear layer"))
    entry = next(item for item in setup.case.entries if item.name == gemm.name)
    weights, reordered = _weight(model, gemm.input[1]), bool(entry.weights[gemm.input[1]].split)
    sizes, order = ((*shape[2:], shape[1]), (0, 3, 1, 2)) if reordered else (shape[1:], (0, 2, 3, 1))
    _set(model, gemm.input[1], weights.reshape(-1, *sizes).transpose(order).reshape(weights.shape))
    return setup.convert_case(model)


def epsilon(setup: LessonSetup) -> Case:
    """Exported with a different epsilon, which ends up in the folded weights."""
    other = copy.deepcopy(setup.network)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.05
    model = export(other, setup.export_config).model
    return setup.export_case(model)


def transposed(setup: LessonSetup) -> Case:
    """A convolution kernel with rows and columns swapped."""
    model = _copy(setup.case.model)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    _set(model, conv.input[1], _weight(model, conv.input[1]).transpose(0, 1, 3, 2))
    return setup.convert_case(model)


def int8_noise(setup: LessonSetup) -> Case:
    """int8 calibrated on noise instead of images."""
    rng = np.random.default_rng(0)
    noise = {
        name: (rng.standard_normal(array.shape) * 0.05).astype(array.dtype) for name, array in setup.calibration.items()
    }
    return setup.convert_case(setup.case.model, noise)


def not_scaled(setup: LessonSetup) -> Case:
    """Pixels from 0 to 255 for a network that was trained on 0 to 1."""
    samples, many = (
        {name: array * np.float32(255) for name, array in feeds.items()}
        for feeds in (setup.case.samples, setup.case.many)
    )
    return dataclasses.replace(setup.case, samples=samples, many=many)


def frozen_batch(setup: LessonSetup) -> Case:
    """A reshape that contains the batch size of the example."""
    model = _copy(setup.case.model)
    reshape = next(node for node in model.graph.node if node.op_type == "Reshape")
    shape = _weight(model, reshape.input[1])
    shape[0] = 1
    _set(model, reshape.input[1], shape)
    del model.graph.value_info[:]
    return setup.export_case(model)


def opset(setup: LessonSetup) -> Case:
    """Operators in versions that onnx-tf does not support."""
    case = setup.with_converter("onnx-tf").export_case(
        export(setup.network, setup.export_config.replace(opset=20)).model
    )
    if not case.refused:
        raise ConfigError(_("onnx-tf supports this network at opset 20, so there is nothing to show"))
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
"""By name: the function that injects the fault, and the kind of finding that it must cause."""


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def _tensor(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    """An initializer or the value of a Constant node: without folded BatchNorms the exporter leaves a shape in one."""
    constants = [node for node in model.graph.node if node.op_type == "Constant" and name in node.output]
    tensors: list[onnx.TensorProto] = [item for item in model.graph.initializer if item.name == name]
    tensors += [item.t for node in constants for item in node.attribute if item.HasField("t")]
    if not tensors:
        raise ConfigError(_("{name!r} is not a constant in this network, so the fault cannot be injected", name=name))
    return tensors[0]


def _weight(model: onnx.ModelProto, name: str) -> Array:
    return np.array(onnx.numpy_helper.to_array(_tensor(model, name)))


def _shape(model: onnx.ModelProto, name: str) -> tuple[int, ...]:
    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    dims = next(value.type.tensor_type.shape.dim for value in values if value.name == name)
    return tuple(dim.dim_value for dim in dims)


def _set(model: onnx.ModelProto, name: str, value: Array) -> None:
    tensor = _tensor(model, name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(value), tensor.name))
