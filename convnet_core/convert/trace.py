"""Trace a model's graph in TensorFlow, and write what comes from the trace: SavedModel, frozen graph, map of nodes.

A run's model is traced in the worker, which needs TensorFlow anyway, for TFLite and for the comparison. The process of
the job does not import it then. A model that this process has just imported is not read a second time there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convnet_core import events
from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map, node_map_file
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import frozen_graph, saved_model
from convnet_core.convert.targets.table import SAVED_MODEL, TARGETS, Target, TracedModel
from convnet_core.convert.targets.write import write
from convnet_core.convert.traced_function import Traced
from convnet_core.errors import ConversionError, DiedError
from convnet_core.events import Monitor, Progress
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content, Message, Notify, Relay

CONVERTERS: dict[str, Callable[[LoadedModel, ConvertConfig], Traced]] = {
    "native": lambda model, config: native.convert(model.graph, config.layout),
    "onnx-tf": lambda model, _: onnx_tf.convert(model.proto),
}


@dataclass(frozen=True)
class Trace:
    """A traced graph: its signature, the bytes of its weights, its numbers of nodes and ops.

    `failed` has, by file, why a target that comes from the trace could not be written.
    """

    signature: Signature
    weight_bytes: int
    onnx_nodes: int
    tensorflow_ops: int
    transposes: int
    failed: dict[str, str]


def trace(model: LoadedModel, folder: Path, config: ConvertConfig, every: Sequence[Target], monitor: Monitor) -> Trace:
    """Trace a model in this process. Write the map of its nodes, and of `every` target those that come from the trace.

    Raises UnsupportedOpError and ConversionError.
    """
    monitor.emit(Progress(label=_("tracing the graph"), done=0, total=1 + len(every)))
    function = CONVERTERS[config.converter](model, config)  # keeps the variables alive until they are saved
    model.free_graph()
    signature = Signature.of(model.proto, function.layouts)
    concrete = saved_model.trace(function, signature)
    entries = node_map.node_map(model.proto, concrete, function)
    node_map_file.write(folder, entries)
    size = frozen_graph.weight_bytes(concrete)
    traced = TracedModel(concrete, size, signature, {}, config, folder / SAVED_MODEL.file)
    failed = write((target for target in every if not target.from_saved_model), traced, folder, monitor, every)[1]
    ops = [op.type for entry in entries for op in entry.ops]
    return Trace(signature, size, len(entries), len(ops), ops.count("Transpose"), failed)


def trace_in_worker(
    file: Path, folder: Path, config: ConvertConfig, every: Sequence[Target], monitor: Monitor
) -> Trace:
    """Like `trace`, in the worker, for a model in a file. Raises ConversionError if it crashes there."""
    content: Content = {
        "file": str(file),
        "folder": str(folder),
        "config": config.to_json(),
        "every": [target.name for target in every],
    }

    def forward(content: Content, arrays: Feeds) -> None:
        if event := events.from_json(content):
            monitor.emit(event)

    try:
        result, _arrays = shared().run(_trace_task, content, notify=forward)
    except DiedError as error:
        raise ConversionError(_("TensorFlow failed while it traced the graph: {reason}", reason=error)) from error
    return dataclass_from_json(Trace, result)


def _trace_task(content: Content, arrays: Feeds, notify: Notify) -> Message:
    every = [target for target in TARGETS if target.name in content["every"]]
    model = LoadedModel(model_file.load(Path(content["file"])))
    config = ConvertConfig.from_json(content["config"])
    return dataclasses.asdict(trace(model, Path(content["folder"]), config, every, Relay(notify))), {}
