"""Convert ONNX to TensorFlow (SavedModel, frozen graph) and LiteRT (float32, float16, int8).

A converter turns the ONNX graph into a TensorFlow function. The rest is the same for all converters: write the targets
that `config` selects, and the map of nodes to ops.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from convnet_core.common.files import size_of
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map as nodes
from convnet_core.convert import node_map_file
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model
from convnet_core.convert.targets.table import SAVED_MODEL, TARGETS, Target, TracedModel, select_targets
from convnet_core.convert.traced_function import Traced
from convnet_core.errors import ConversionError
from convnet_core.events import Message, Monitor, Progress
from convnet_core.runs.stage_results import ConversionResult
from convnet_core.tensors.arrays import Feeds

CONVERTERS: dict[str, Callable[[LoadedModel, ConvertConfig], Traced]] = {
    "native": lambda model, config: native.convert(model.graph, config.layout),
    "onnx-tf": lambda model, _: onnx_tf.convert(model.proto),
}


def convert(
    model: LoadedModel, folder: Path, config: ConvertConfig, calibration: Feeds, monitor: Monitor
) -> ConversionResult:
    """Write every target that `config` selects, the signature, and the map of nodes into `folder`.

    `calibration` has samples [n, ...] by ONNX input name, which determine the int8 ranges.
    Raises UnsupportedOpError, ConversionError, or ConfigError for an unknown target.
    """
    selected = select_targets(config.only)
    written = tuple(target for target in TARGETS if target in selected or _is_needed(target, selected))
    total = 1 + len(written)
    monitor.emit(Progress(label="tracing the graph", done=0, total=total))
    function = CONVERTERS[config.converter](model, config)  # keeps the variables alive until they are saved
    model.free_graph()
    signature = Signature.of(model.proto, function.layouts)
    concrete = saved_model.trace(function, signature)
    node_map = nodes.node_map(model.proto, concrete, function)
    node_map_file.write(folder, node_map)

    traced = TracedModel(concrete, signature, calibration, config, folder / SAVED_MODEL.file)
    failed: dict[str, str] = {}
    for done, target in enumerate(written, start=1):
        monitor.emit(Progress(label=f"writing {target.file}", done=done, total=total))
        try:
            signature = signature.with_int8(target.write(traced, folder / target.file))
        except ConversionError as error:
            failed[target.file] = str(error)
            monitor.emit(Message(text=f"{target.file} could not be written: {error}"))
    if SAVED_MODEL not in selected and SAVED_MODEL in written:
        shutil.rmtree(folder / SAVED_MODEL.file)
    signature.save(folder)
    monitor.emit(Progress(label="converted", done=total, total=total))

    sizes = {target.file: size_of(folder / target.file) for target in selected if target.file not in failed}
    ops = [op.type for entry in node_map for op in entry.ops]
    return ConversionResult(sizes, len(node_map), len(ops), ops.count("Transpose"), failed)


def _is_needed(target: Target, selected: tuple[Target, ...]) -> bool:
    """Whether a target that was not selected must be written first."""
    return target is SAVED_MODEL and any(other.from_saved_model for other in selected)
