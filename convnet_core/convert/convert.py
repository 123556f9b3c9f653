"""ONNX → TensorFlow (SavedModel, frozen graph) and LiteRT (float32, float16, int8).

A converter turns the ONNX graph into a TensorFlow function (`onnx_tf.py`); what follows is the same
for each: `saved_model.py`, `frozen.py`, `tflite.py`, and `nodes.py` for which node became which ops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from convnet_core.common.files import size_of, write_json
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map as nodes
from convnet_core.convert import node_map_file
from convnet_core.convert import signature as names
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.targets import frozen_graph, saved_model, tflite
from convnet_core.convert.traced_function import Traced
from convnet_core.errors import ConversionError
from convnet_core.events import Message, Monitor, Progress
from convnet_core.tensors.arrays import Feeds

CONVERTERS: dict[str, Callable[[onnx.ModelProto, ConvertConfig], Traced]] = {
    "native": lambda model, config: native.convert(model, config.layout),
    "onnx-tf": lambda model, _: onnx_tf.convert(model),
}

SAVED_MODEL, FROZEN, NODES = "saved_model", "frozen.pb", node_map_file.FILE
TFLITE = tflite.FILES


@dataclass(frozen=True)
class Converted:
    """The size of each artefact in bytes; how many nodes became how many TensorFlow ops, transposes among them; and
    why an artefact could not be made (TFLite has fewer ops than TensorFlow).
    """

    sizes: dict[str, int]
    onnx_nodes: int
    tensorflow_ops: int
    transposes: int
    failed: dict[str, str]


def convert(
    model: onnx.ModelProto, folder: Path, config: ConvertConfig, calibration: Feeds, monitor: Monitor
) -> Converted:
    """Write every artefact into `folder`.

    `calibration` holds samples for each ONNX input, [n, ...]; they fix the int8 ranges.
    Raises UnsupportedOpError or ConversionError.
    """
    total = 3 + len(TFLITE)
    monitor.emit(Progress(label="tracing the graph", done=0, total=total))
    function = CONVERTERS[config.converter](model, config)  # holds the variables: it lives until they are saved
    signature = names.Signature.of(model, function.layouts)
    concrete = saved_model.trace(function, signature)
    node_map = nodes.node_map(model, concrete, function)
    write_json(folder / NODES, node_map)

    monitor.emit(Progress(label="writing the SavedModel", done=1, total=total))
    saved_model.save(concrete, folder / SAVED_MODEL)
    monitor.emit(Progress(label="writing the frozen graph", done=2, total=total))
    failed = {}
    try:
        frozen_graph.save(concrete, folder / FROZEN)
    except ConversionError as error:
        failed[FROZEN] = str(error)
        monitor.emit(Message(text=f"{FROZEN} could not be made: {error}"))
    for done, (kind, file) in enumerate(TFLITE.items(), start=3):
        monitor.emit(Progress(label=f"writing TFLite {kind}", done=done, total=total))
        try:
            frozen_graph.check_size(concrete)  # TFLite's converter freezes first, and holds the whole several times
            dtypes = tflite.save(folder / SAVED_MODEL, folder / file, kind, calibration, signature, config)
        except ConversionError as error:
            failed[file] = str(error)
            monitor.emit(Message(text=f"{file} could not be made: {error}"))
        else:
            if kind == "int8":
                signature = signature.with_int8(dtypes)
    signature.save(folder)
    monitor.emit(Progress(label="converted", done=total, total=total))

    sizes = {file: size_of(folder / file) for file in (SAVED_MODEL, FROZEN, *TFLITE.values()) if file not in failed}
    ops = [op["type"] for node in node_map for op in node["ops"]]
    return Converted(sizes, len(node_map), len(ops), ops.count("Transpose"), failed)
