"""ONNX → TensorFlow (SavedModel, frozen graph) and LiteRT (float32, float16, int8).

A converter turns the ONNX graph into a TensorFlow function (`onnx_tf.py`); what follows is the same
for each: `saved_model.py`, `frozen.py`, `tflite.py`, and `nodes.py` for which node became which ops.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from convnet_core.config import ConvertConfig
from convnet_core.convert import frozen, names, nodes, onnx_tf, saved_model, tflite
from convnet_core.events import Monitor, Progress
from convnet_core.files import write_json
from convnet_core.tensors import Feeds

CONVERTERS = {"onnx-tf": onnx_tf.convert}

SAVED_MODEL, FROZEN, NODES = "saved_model", "frozen.pb", "nodes.json"
TFLITE = {kind: f"model.{kind}.tflite" for kind in tflite.KINDS}


@dataclass(frozen=True)
class Converted:
    """The size of each artefact in bytes, and how many nodes became how many TensorFlow ops."""

    sizes: dict[str, int]
    onnx_nodes: int
    tensorflow_ops: int


def convert(
    model: onnx.ModelProto, folder: Path, config: ConvertConfig, calibration: Feeds, monitor: Monitor
) -> Converted:
    """Write every artefact into `folder`.

    `calibration` holds samples for each ONNX input, [n, ...]; they fix the int8 ranges.
    Raises UnsupportedOpError or ConversionError.
    """
    total = 3 + len(TFLITE)
    signature = names.Signature.of(model)
    signature.save(folder)

    monitor.emit(Progress(label="tracing the graph", done=0, total=total))
    concrete = saved_model.trace(CONVERTERS[config.converter](model), signature)
    node_map = nodes.node_map(model, concrete)
    write_json(folder / NODES, node_map)

    monitor.emit(Progress(label="writing the SavedModel", done=1, total=total))
    saved_model.save(concrete, folder / SAVED_MODEL)
    monitor.emit(Progress(label="writing the frozen graph", done=2, total=total))
    frozen.save(concrete, folder / FROZEN)
    for done, (kind, file) in enumerate(TFLITE.items(), start=3):
        monitor.emit(Progress(label=f"writing TFLite {kind}", done=done, total=total))
        tflite.save(folder / SAVED_MODEL, folder / file, kind, calibration, signature)
    monitor.emit(Progress(label="converted", done=total, total=total))

    sizes = {file: size_of(folder / file) for file in (SAVED_MODEL, FROZEN, *TFLITE.values())}
    return Converted(sizes, len(node_map), sum(len(node["ops"]) for node in node_map))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )
