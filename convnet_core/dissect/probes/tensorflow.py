"""A converted TensorFlow graph, seen through the frozen graph by the map that the conversion has written."""

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
from convnet_core.runtimes.specs import TENSORFLOW, TENSORFLOW_FROZEN
from convnet_core.tensors.arrays import Feeds


class TensorFlowProbe(Probe):
    """The frozen graph of a conversion's folder. Raises ModelError where it cannot be loaded.

    A session can be fed at any tensor, so that a node can be asked alone, with the weights that the graph has.
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
        except Exception as error:  # of many kinds
            raise ModelError(f"{path} cannot be loaded: {one_line(error)}") from error
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
        self._fed = [port.onnx for port in self._signature.inputs]

    def values(self, feeds: Feeds) -> Feeds:
        given = {self._places[name].source: self._places[name].source_value(feeds[name]) for name in self._fed}
        wanted = {name: place for name, place in self._places.items() if name not in self._fed}
        found = self._session.run({name: place.source for name, place in wanted.items()}, given)
        values = {name: wanted[name].value(np.asarray(array)) for name, array in found.items()}
        shown = {**feeds, **values}
        whole = self._parts.completed(shown)
        self.remade = frozenset(whole.keys() - shown.keys())
        return whole

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """`inputs` hold those of the graph, too, as sizes may be taken from there. A node that became an order of
        dimensions, a part of an operator, or nothing that the frozen graph needs has no op: it is run in TensorFlow's
        arithmetic.
        """
        entry, place = self._nodes.get(node), self._places.get(node)
        if entry is not None and (entry.became in ("layout", "part") or place is None):
            return self._parts.alone(node, inputs)
        if entry is None or place is None or entry.became != "ops" or place.shape:
            return None
        given = {self._places[name].source: self._places[name].source_value(inputs[name]) for name in self._fed}
        for name in dict.fromkeys(entry.inputs):
            before = self._places.get(name)
            if before is None:
                continue  # a weight, or a constant: the graph has its own
            if name not in inputs or before.shape or before.source == place.source:
                return None
            given[before.source] = before.source_value(inputs[name])
        return {node: place.value(np.asarray(self._session.run(place.source, given)))}

    def close(self) -> None:
        self._session.close()


def _invert(perm: tuple[int, ...]) -> tuple[int, ...]:
    """A port's `perm` says which dimension of ONNX each of its own is; a place says the reverse."""
    return tuple(int(axis) for axis in np.argsort(perm)) if perm else ()


def _has(graph: Any, tensor: str) -> bool:
    try:
        graph.get_tensor_by_name(tensor)
    except (KeyError, ValueError):  # the freezing has folded it
        return False
    return True
