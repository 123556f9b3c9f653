"""ONNX → TensorFlow (SavedModel, frozen graph) and LiteRT (float32, float16, int8).

A converter turns the ONNX graph into a TensorFlow function; what follows is the same for each:
the targets that `config` chooses, and which node became which ops.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from convnet_core.common.files import size_of, write_json
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map as nodes
from convnet_core.convert import node_map_file
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model
from convnet_core.convert.targets.table import SAVED_MODEL, TARGETS, Target, TracedModel, chosen
from convnet_core.convert.traced_function import Traced
from convnet_core.errors import ConversionError
from convnet_core.events import Message, Monitor, Progress
from convnet_core.tensors.arrays import Feeds

CONVERTERS: dict[str, Callable[[onnx.ModelProto, ConvertConfig], Traced]] = {
    "native": lambda model, config: native.convert(model, config.layout),
    "onnx-tf": lambda model, _: onnx_tf.convert(model),
}


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
    """Write every target that `config` chooses into `folder`, and the map of the nodes.

    `calibration` holds samples for each ONNX input, [n, ...]; they fix the int8 ranges.
    Raises UnsupportedOpError or ConversionError, ConfigError where a target is unknown.
    """
    wanted = chosen(config.only)
    written = tuple(target for target in TARGETS if target in wanted or _is_needed(target, wanted))
    total = 1 + len(written)
    monitor.emit(Progress(label="tracing the graph", done=0, total=total))
    function = CONVERTERS[config.converter](model, config)  # holds the variables: it lives until they are saved
    signature = Signature.of(model, function.layouts)
    concrete = saved_model.trace(function, signature)
    node_map = nodes.node_map(model, concrete, function)
    write_json(folder / node_map_file.FILE, node_map)

    traced = TracedModel(concrete, signature, calibration, config, folder / SAVED_MODEL.file)
    failed: dict[str, str] = {}
    for done, target in enumerate(written, start=1):
        monitor.emit(Progress(label=f"writing {target.file}", done=done, total=total))
        try:
            signature = signature.with_int8(target.write(traced, folder / target.file))
        except ConversionError as error:
            failed[target.file] = str(error)
            monitor.emit(Message(text=f"{target.file} could not be made: {error}"))
    if SAVED_MODEL not in wanted and SAVED_MODEL in written:
        shutil.rmtree(folder / SAVED_MODEL.file)
    signature.save(folder)
    monitor.emit(Progress(label="converted", done=total, total=total))

    sizes = {target.file: size_of(folder / target.file) for target in wanted if target.file not in failed}
    ops = [op["type"] for node in node_map for op in node["ops"]]
    return Converted(sizes, len(node_map), len(ops), ops.count("Transpose"), failed)


def _is_needed(target: Target, wanted: tuple[Target, ...]) -> bool:
    """Whether a target that nobody asked for has to be written first."""
    return target is SAVED_MODEL and any(other.from_saved_model for other in wanted)
