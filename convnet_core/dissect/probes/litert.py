"""A TFLite file with all tensors preserved; tensor names tell which ONNX tensor each one is."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from convnet_core.convert.node_map_file import NodeMap, NodeMapEntry
from convnet_core.convert.quantization import dequantize, quantize
from convnet_core.convert.signature import Signature
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.measurements import LiteRTOp
from convnet_core.dissect.probes.base import Kernel, Probe
from convnet_core.errors import ModelError, one_line
from convnet_core.language import _
from convnet_core.runtimes.specs import RuntimeSpec
from convnet_core.tensors.arrays import Array, Feeds


@dataclass(frozen=True)
class QuantizedRange:
    """The values that a quantized tensor can represent."""

    low: float
    high: float


class LiteRTProbe(Probe):
    """A TFLite file of a conversion's folder. Raises ModelError.

    It runs LiteRT's built-in kernels: XNNPACK, the default, does not expose inner tensors. The converter names a tensor
    after its TensorFlow ops, joined by ";": it has the value of the last of their ONNX nodes, in TensorFlow's layout.
    """

    alone_is_possible = False

    def __init__(self, folder: Path, spec: RuntimeSpec, entries: NodeMap) -> None:
        self.name, self.precision = spec.name, spec.precision
        self._signature = Signature.load(folder)
        path = folder / spec.file
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that preserving all tensors takes memory
                self._interpreter = Interpreter(
                    model_path=str(path),
                    experimental_preserve_all_tensors=True,
                    experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(_("LiteRT cannot load {path}: {reason}", path=path, reason=one_line(error))) from error
        signature = self._interpreter._get_full_signature_list()["serving_default"]
        self._inputs: Mapping[str, int] = signature["inputs"]
        self._outputs: Mapping[str, int] = signature["outputs"]
        self._scopes = {_scope(entry): place for place, entry in enumerate(entries) if entry.ops}
        self._entries = entries
        self._tf_ops = {op.name: op for entry in entries for op in entry.ops}
        self.ops = self._read_ops()

    def values(self, feeds: Feeds) -> Feeds:
        for port in self._signature.inputs:
            array = port.from_onnx(feeds[port.onnx])
            self._interpreter.resize_tensor_input(self._inputs[port.tensorflow], array.shape)
        self._interpreter.allocate_tensors()
        details = {item["index"]: item for item in self._interpreter.get_tensor_details()}
        for port in self._signature.inputs:
            index = self._inputs[port.tensorflow]
            self._interpreter.set_tensor(index, quantize(port.from_onnx(feeds[port.onnx]), details[index]))
        self._interpreter.invoke()
        values: Feeds = {port.onnx: feeds[port.onnx] for port in self._signature.inputs}
        for index, (name, place) in self._onnx_tensors().items():
            array = dequantize(self._interpreter.get_tensor(index), "float32", details[index])
            if (value := _to_onnx_order(array, place)) is not None:
                values[name] = value
        for port in self._signature.outputs:
            index = self._outputs[port.tensorflow]
            array = dequantize(self._interpreter.get_tensor(index), "float32", details[index])
            values[port.onnx] = port.to_onnx(array)
        return values

    def ranges(self) -> dict[str, QuantizedRange]:
        """The range of each tensor with a single scale, by ONNX name."""
        details = {item["index"]: item for item in self._interpreter.get_tensor_details()}
        names = {index: name for index, (name, _) in self._onnx_tensors().items()}
        names |= {self._inputs[port.tensorflow]: port.onnx for port in self._signature.inputs}
        names |= {self._outputs[port.tensorflow]: port.onnx for port in self._signature.outputs}
        # With float inputs and outputs, the quantized tensors are behind QUANTIZE and DEQUANTIZE.
        for op in self._interpreter._get_ops_details():
            before, after = (next(iter(op[side]), -1) for side in ("inputs", "outputs"))
            if op["op_name"] == "QUANTIZE" and before in names:
                names[after] = names[before]
            if op["op_name"] == "DEQUANTIZE" and after in names:
                names[before] = names[after]
        ranges = {name: _quantized_range(details.get(index)) for index, name in names.items()}
        return {name: limits for name, limits in ranges.items() if limits is not None}

    def kernels(self) -> Iterator[Kernel]:
        """The weights and bias of each convolution that has a bias."""
        orders = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
        for op, details in zip(self.ops, self._interpreter._get_ops_details(), strict=True):
            if op.type in orders and len(details["inputs"]) == 3:
                weights, bias = (self._interpreter.get_tensor(int(index)) for index in details["inputs"][1:])
                yield op.nodes, weights.transpose(orders[op.type]), bias

    def _onnx_tensors(self) -> dict[int, tuple[str, TensorLocation]]:
        """The tensors with the value of an ONNX tensor, by index: its name, and the order of its dimensions.

        The converter may swap ops, such as an activation and a transpose. A tensor whose predecessors belong to a later
        node than its name says is left out, because its value is unknown.
        """
        tensors: dict[int, tuple[str, TensorLocation]] = {}
        names = {item["index"]: item["name"] for item in self._interpreter.get_tensor_details()}
        latest: dict[int, int] = {}
        alive = set(self._inputs.values())
        for op in self._interpreter._get_ops_details():
            if alive.isdisjoint(op["inputs"]):
                continue  # a dequantized weight has the name of the operation that uses it
            alive.update(op["outputs"])
            before = max((latest.get(index, -1) for index in op["inputs"]), default=-1)
            for position, index in enumerate(op["outputs"]):
                places = self._nodes_of(names.get(index, ""))
                latest[index] = max([before, *places])
                several = len(op["outputs"]) > 1
                value = self._value(names[index], max(places), position if several else None) if places else None
                if value is not None and before <= max(places):
                    tensors[index] = value
        return tensors

    def _value(self, label: str, place: int, position: int | None) -> tuple[str, TensorLocation] | None:
        """The ONNX output that a tensor with this label is; None if it is an intermediate value.

        The outputs of one operation share a name; `position` tells them apart.
        """
        entry, parts = self._entries[place], label.split(";")
        for count, (name, where) in enumerate(zip(entry.outputs, entry.tensors, strict=True)):
            base, _, number = where.tensor.rpartition(":")
            named = base in parts or any(_is_numbered(part, base) and part not in self._tf_ops for part in parts)
            if where.place is not None and named and (number == "0" if position is None else count == position):
                return name, self._ordered(base, parts, where.place)
        return None

    def _ordered(self, base: str, parts: list[str], place: TensorLocation) -> TensorLocation:
        """The order of dimensions before transposes that the converter removed.

        These are between the ops of the label, but the label does not name them.
        """
        op, perm = self._tf_ops.get(base), tuple[int, ...]()
        while op is not None and op.inputs and not place.perm:
            op = self._tf_ops.get(op.inputs[0])
            if op is None or op.name in parts:
                return dataclasses.replace(place, perm=perm) if op is not None and perm else place
            if not op.perm:
                return place
            perm = tuple(op.perm[axis] for axis in perm or range(len(op.perm)))
        return place

    def _nodes_of(self, name: str) -> list[int]:
        """The positions in the ONNX graph of the nodes that a tensor is named after."""
        scopes = (part.split("/")[0] for part in name.split(";"))
        return [self._scopes[scope] for scope in scopes if scope in self._scopes]

    def _last(self, index: int) -> list[int]:
        """The node that computes a model output, for an output tensor whose name does not tell."""
        outputs = {port.onnx for port in self._signature.outputs if self._outputs[port.tensorflow] == index}
        return [place for place, entry in enumerate(self._entries) if outputs.intersection(entry.outputs)]

    def _read_ops(self) -> list[LiteRTOp]:
        details = {item["index"]: item for item in self._interpreter.get_tensor_details()}
        ops = []
        for op in self._interpreter._get_ops_details():
            outputs = [details[index] for index in op["outputs"] if index in details]
            nodes = sorted(
                {place for item in outputs for place in self._nodes_of(item["name"]) or self._last(item["index"])}
            )
            shapes = tuple(tuple(int(size) for size in item["shape_signature"]) for item in outputs)
            ops.append(LiteRTOp(op["op_name"], shapes, tuple(self._entries[place].name for place in nodes)))
        return ops


def _is_numbered(label: str, base: str) -> bool:
    """Whether a label is `base` with a number appended, as TFLite's converter makes duplicate names unique."""
    return label.startswith(base) and label[len(base) :].isdecimal() and bool(base)


def _scope(entry: NodeMapEntry) -> str:
    return entry.ops[0].name.split("/")[0]


def _to_onnx_order(array: Array, place: TensorLocation) -> Array | None:
    """The value in ONNX's order; None if the file stores it in another shape than TensorFlow."""
    if place.perm and not place.split and array.ndim != len(place.perm):
        return None
    return place.value(array)


def _quantized_range(details: dict[str, Any] | None) -> QuantizedRange | None:
    if details is None:
        return None
    scales, zeros = (details["quantization_parameters"][name] for name in ("scales", "zero_points"))
    if len(scales) != 1 or details["dtype"] not in (np.int8, np.uint8):
        return None
    limits = np.iinfo(details["dtype"])
    return QuantizedRange(*(float(scales[0] * (limit - int(zeros[0]))) for limit in (limits.min, limits.max)))
