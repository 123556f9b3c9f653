"""TensorFlow: a SavedModel by its signature, or a frozen graph.

TensorFlow's thread pool belongs to the process (`tensorflow_import`); a session has its own.
"""

from __future__ import annotations

from pathlib import Path

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.signature import Signature
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.specs import TENSORFLOW, TENSORFLOW_FROZEN
from convnet_core.tensors.arrays import Feeds


class _TensorFlow(Runtime):
    """What both have in common: the names of inputs and outputs."""

    def __init__(self, path: Path, converter: str | None) -> None:
        super().__init__()
        self._signature = Signature.load(path.parent)
        self.converter = converter
        self.inputs = tuple(port.info for port in self._signature.inputs)
        self.outputs = tuple(port.info for port in self._signature.outputs)
        self._tf = import_tensorflow()

    def prepared(self, feeds: Feeds) -> Feeds:
        return {port.onnx: port.lay_out(feeds[port.onnx]) for port in self._signature.inputs}


class TensorFlowSavedModel(_TensorFlow):
    """A SavedModel through `serving_default`, as TensorFlow Serving would run it."""

    name = TENSORFLOW.name

    def __init__(self, path: Path, converter: str | None) -> None:
        super().__init__(path, converter)
        with self._tf.device("CPU:0"):
            self._module = self._tf.saved_model.load(str(path))  # the signature lives as long as its module
        self._call = self._module.signatures["serving_default"]

    def _infer(self, feeds: Feeds) -> Feeds:
        with self._tf.device("CPU:0"):
            tensors = {
                port.tensorflow: self._tf.constant(port.from_onnx(feeds[port.onnx])) for port in self._signature.inputs
            }
            results = self._call(**tensors)
        return {port.onnx: port.to_onnx(results[port.tensorflow].numpy()) for port in self._signature.outputs}


class TensorFlowFrozen(_TensorFlow):
    """A frozen GraphDef, in a session: as a wrapped function it is not optimized, and 20 times slower (2.21)."""

    name = TENSORFLOW_FROZEN.name

    def __init__(self, path: Path, converter: str | None, threads: int = 1) -> None:
        super().__init__(path, converter)
        v1 = self._tf.compat.v1
        graph_def = v1.GraphDef()
        graph_def.ParseFromString(path.read_bytes())
        graph = self._tf.Graph()
        with graph.as_default():
            self._tf.graph_util.import_graph_def(graph_def, name="")
        config = v1.ConfigProto(
            intra_op_parallelism_threads=threads,
            # -1 runs in the caller's thread, twice as fast for one image; only a session without its own threads can.
            inter_op_parallelism_threads=-1 if threads == 1 else 1,
            device_count={"GPU": 0},
            use_per_session_threads=threads > 1,
        )
        self._session = v1.Session(graph=graph, config=config)
        self._call = self._session.make_callable(
            [f"{port.tensorflow}:0" for port in self._signature.outputs],
            [f"{port.tensorflow}:0" for port in self._signature.inputs],
        )

    def _infer(self, feeds: Feeds) -> Feeds:
        results = self._call(*(port.from_onnx(feeds[port.onnx]) for port in self._signature.inputs))
        return {port.onnx: port.to_onnx(array) for port, array in zip(self._signature.outputs, results, strict=True)}

    def close(self) -> None:
        self._session.close()
