"""A converted TensorFlow graph, read from the frozen graph with the conversion's node map."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.convert.signature import Signature
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.probes.base import Probe
from convnet_core.dissect.probes.parts import NodeRunner, tensorflow_runner
from convnet_core.errors import ModelError, one_line
from convnet_core.language import _
from convnet_core.runtimes.specs import TENSORFLOW, TENSORFLOW_FROZEN
from convnet_core.tensors.arrays import Feeds


class TensorFlowProbe(Probe):
    """The frozen graph of a conversion's folder. Raises ModelError if it cannot be loaded.

    A session accepts feeds at any tensor, so a single node can run, with the weights in the graph.
    """

    name = TENSORFLOW.name

    def __init__(self, folder: Path, entries: NodeMap, model: onnx.ModelProto) -> None:
        self._parts = NodeRunner(model, tensorflow_runner(model))
        self._signature = Signature.load(folder)
        v1 = import_tensorflow().compat.v1
        graph_def = v1.GraphDef()
        graph, path = v1.Graph(), folder / TENSORFLOW_FROZEN.file
        try:
            graph_def.ParseFromString(path.read_bytes())
            with graph.as_default():
                v1.import_graph_def(graph_def, name="")
        except Exception as error:  # TensorFlow raises many types here
            raise ModelError(_("{path} cannot be loaded: {reason}", path=path, reason=one_line(error))) from error
        config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        # Grappler of TensorFlow 2.21 loses tensors that are fed or fetched ("was not found in the Graph").
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        self._session = v1.Session(graph=graph, config=config)
        self._places = {
            port.onnx: TensorLocation(f"{port.tensorflow}:0", _invert(port.perm)) for port in self._signature.inputs
        }
        for entry in entries:
            for name, where in zip(entry.outputs, entry.tensors, strict=True):
                if name and where.place is not None and _has(graph, where.tensor):
                    self._places[name] = dataclasses.replace(where.place, source=where.tensor)
        self._nodes = {name: entry for entry in entries for name in entry.outputs if name}
        self._input_names = [port.onnx for port in self._signature.inputs]

    def values(self, feeds: Feeds) -> Feeds:
        feed = {self._places[name].source: self._places[name].source_value(feeds[name]) for name in self._input_names}
        places = {name: place for name, place in self._places.items() if name not in self._input_names}
        arrays = self._session.run({name: place.source for name, place in places.items()}, feed)
        visible = {**feeds, **{name: places[name].value(np.asarray(array)) for name, array in arrays.items()}}
        values = self._parts.complete(visible)
        self.remade = frozenset(values.keys() - visible.keys())
        return values

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """`inputs` include those of the graph, because sizes may come from there. A node without an op (it became a
        layout, a part of an operator, or was optimized away) runs in TensorFlow's arithmetic.
        """
        entry, place = self._nodes.get(node), self._places.get(node)
        if entry is not None and (entry.became in ("layout", "part") or place is None):
            return self._parts.alone(node, inputs)
        if entry is None or place is None or entry.became != "ops" or place.shape:
            return None
        feed = {self._places[name].source: self._places[name].source_value(inputs[name]) for name in self._input_names}
        for name in dict.fromkeys(entry.inputs):
            before = self._places.get(name)
            if before is None:
                continue  # a weight or a constant, which the graph contains
            if name not in inputs or before.shape or before.source == place.source:
                return None
            feed[before.source] = before.source_value(inputs[name])
        return {node: place.value(np.asarray(self._session.run(place.source, feed)))}

    def close(self) -> None:
        self._session.close()


def _invert(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The inverse permutation: a port's `perm` lists ONNX dimensions, a TensorLocation's TensorFlow dimensions."""
    return tuple(int(axis) for axis in np.argsort(perm)) if perm else ()


def _has(graph: Any, tensor: str) -> bool:
    try:
        graph.get_tensor_by_name(tensor)
    except (KeyError, ValueError):  # folded when the graph was frozen
        return False
    return True
