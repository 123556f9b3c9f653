"""Compare the weights of a conversion with the ONNX model's, using the layouts that the conversion recorded."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.native.tracer import variable_name
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.convert.targets.table import FROZEN_GRAPH, SAVED_MODEL
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import Weight
from convnet_core.language import _
from convnet_core.tensors.arrays import Array


def converted_weights(folder: Path, entries: NodeMap) -> dict[str, Array]:
    """The converted weights by ONNX name: the SavedModel's variable, or else the frozen graph's constant. Weights that
    are neither are left out.
    """
    tf = import_tensorflow()
    path = folder / SAVED_MODEL.file
    weights = tf.saved_model.load(str(path)).weights if path.is_dir() else []
    # A variable is created in the scope of the first node that uses it.
    variables = {item.name.split(":")[0].rsplit("/", 1)[-1]: item for item in weights}
    constants = _constants(folder / FROZEN_GRAPH.file)
    results: dict[str, Array] = {}
    for entry in entries:
        for name, weight in entry.weights.items():
            variable = variables.get(variable_name(weight.source))
            constant = constants.get(weight.constant.partition(":")[0])
            if variable is not None:
                results[name] = variable.numpy()
            elif constant is not None:
                results[name] = tf.make_ndarray(constant)
    return results


def _constants(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    graph = import_tensorflow().compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    return {node.name: node.attr["value"].tensor for node in graph.node if node.op == "Const"}


def compare_weights(model: onnx.ModelProto, entries: NodeMap, converted: dict[str, Array]) -> list[Weight]:
    """Every weight that a node uses, in the order of the nodes; `converted` are the converted weights by ONNX name."""
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    results = []
    for entry in entries:
        for name, place in entry.weights.items():
            value = np.array(onnx.numpy_helper.to_array(initializers[name]))
            if value.dtype.kind != "f" or value.size < 2:
                continue
            stored = converted.get(name)
            error = None if stored is None else _error(value, place, stored)
            shape = _converted_shape(value, place) if stored is None else stored.shape
            results.append(Weight(name, entry.name, value.shape, shape, place, error))
    return results


def _converted_shape(value: Array, place: TensorLocation) -> tuple[int, ...]:
    """The shape that a weight has in this order."""
    return value.shape if place.shape else place.source_value(value).shape


def _error(value: Array, place: TensorLocation, stored: Array) -> float:
    converted_value = place.value(stored)
    if converted_value.shape != value.shape:
        return math.inf
    return float(np.abs(converted_value.astype(np.float64) - value).max(initial=0.0))


def findings(
    model: onnx.ModelProto, weights: list[Weight], converted: dict[str, Array], shapes: dict[str, tuple[int, ...]]
) -> list[Finding]:
    """A finding for each weight that differs from ONNX's, with the reordering that explains it, if there is one.

    `shapes` are those of all tensors, by ONNX name.
    """
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    results = []
    for weight in weights:
        if not weight.error:
            continue
        value = np.array(onnx.numpy_helper.to_array(initializers[weight.name]))
        converted_value = weight.place.value(converted[weight.name])
        results.append(
            _explain(weight, value, converted_value, nodes[weight.node], _flattened_image(model, weight.node, shapes))
        )
    return results


def _explain(
    weight: Weight, value: Array, converted_value: Array, node: onnx.NodeProto, image: tuple[int, ...] | None
) -> Finding:
    """`converted_value` is the converted weight in ONNX's layout."""
    what = f"{node.op_type} {node.name!r}"
    order = _find_flatten_order(value, converted_value, image)
    if order is not None:
        last = order[-1] == 0  # the channels come last
        if last:
            text = _(
                "{what} introduces the error: its input is flattened channels last (NHWC), and its weights {weight!r} "
                "are in the order of channels first (NCHW).",
                what=what,
                weight=weight.name,
            )
        else:
            text = _(
                "{what} introduces the error: its input is flattened channels first (NCHW), and its weights {weight!r} "
                "are in the order of channels last (NHWC).",
                what=what,
                weight=weight.name,
            )
        return Finding(
            "flatten-order",
            text,
            _(
                "Put the weights in the order of the values: reshape to {shape}, transpose by {order}, flatten again.",
                shape="[c, h, w]" if last else "[h, w, c]",
                order=order,
            ),
            weight.node,
        )
    fitting = _find_permutation(value, converted_value)
    if fitting is not None:
        return Finding(
            "transposed-weight",
            _(
                "{what} introduces the error: its weight {weight!r} has a different order than the model's; its "
                "transpose by {order} fits.",
                what=what,
                weight=weight.name,
                order=fitting,
            ),
            _("Transpose the weight during conversion."),
            weight.node,
        )
    return Finding(
        "weight",
        _(
            "{what} introduces the error: its weight {weight!r} is off by up to {error:.1e} from the model's.",
            what=what,
            weight=weight.name,
            error=weight.error,
        ),
        _("Convert the model again; if the error stays, the conversion changes the weight."),
        weight.node,
    )


def _find_permutation(value: Array, converted_value: Array) -> tuple[int, ...] | None:
    """The permutation that turns the converted value into the model's; None if there is none or it is the identity."""
    for perm in itertools.permutations(range(converted_value.ndim)):
        if perm != tuple(range(converted_value.ndim)) and np.array_equal(converted_value.transpose(perm), value):
            return perm
    return None


def _find_flatten_order(value: Array, converted_value: Array, image: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The permutation that puts weights after a flattened image [n, c, h, w] in the order of its values: (1, 2, 0) if
    the values are channels last, (2, 0, 1) if they are channels first; None if the weights do not have the other order.
    """
    if image is None or value.ndim != 2 or value.shape != converted_value.shape:
        return None
    channels, *pixels = image[1:]
    last, first = (*range(1, len(image) - 1), 0), (len(pixels), *range(len(pixels)))
    for axis, rows in ((1, value.shape[1]), (0, value.shape[0])):
        if rows != np.prod(image[1:]):
            continue
        expected, actual = (np.moveaxis(array, axis, 1) for array in (value, converted_value))
        channels_first = expected.reshape(-1, *pixels, channels).transpose(0, *(place + 1 for place in first))
        channels_last = expected.reshape(-1, channels, *pixels).transpose(0, *(place + 1 for place in last))
        if np.array_equal(channels_first.reshape(expected.shape), actual):
            return last
        if np.array_equal(channels_last.reshape(expected.shape), actual):
            return first
    return None


def _flattened_image(model: onnx.ModelProto, node: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape of the image that was flattened into a node's input; None if there is none."""
    makers = {name: item for item in model.graph.node for name in item.output}
    name = next(item.input[0] for item in model.graph.node if item.name == node)
    while name in makers and makers[name].op_type in ("Relu", "Dropout", "Identity", "Sigmoid", "Tanh"):
        name = makers[name].input[0]
    maker = makers.get(name)
    if maker is None or maker.op_type not in ("Flatten", "Reshape"):
        return None
    shape = shapes.get(maker.input[0], ())
    return shape if len(shape) > 2 else None
