"""Convert ONNX to TensorFlow (SavedModel, frozen graph) and LiteRT (float32, float16, int8).

A converter turns the ONNX graph into a TensorFlow function. The rest is the same for all converters: write the targets
that `config` selects, and the map of nodes to ops.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from convnet_core.common.files import size_of
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.targets.table import SAVED_MODEL, TARGETS, Target, TracedModel, select_targets
from convnet_core.convert.targets.write import write
from convnet_core.convert.trace import trace, trace_in_worker
from convnet_core.events import Monitor, Progress
from convnet_core.language import _
from convnet_core.runs.stage_results import ConversionResult
from convnet_core.tensors.arrays import Feeds


def convert(
    model: LoadedModel,
    folder: Path,
    config: ConvertConfig,
    calibration: Feeds,
    monitor: Monitor,
    file: Path | None = None,
) -> ConversionResult:
    """Write every target that `config` selects, the signature, and the map of nodes into `folder`.

    `calibration` has samples [n, ...] by ONNX input name, which determine the int8 ranges. With the model's `file`, the
    worker reads it and runs TensorFlow; without it this process does.
    Raises UnsupportedOpError, ConversionError, or ConfigError for an unknown target.
    """
    selected = select_targets(config.only)
    every = tuple(target for target in TARGETS if target in selected or _is_needed(target, selected))
    traced = (
        trace_in_worker(file, folder, config, every, monitor) if file else trace(model, folder, config, every, monitor)
    )
    saved = TracedModel(None, traced.weight_bytes, traced.signature, calibration, config, folder / SAVED_MODEL.file)
    signature, failed = write((target for target in every if target.from_saved_model), saved, folder, monitor, every)
    failed = {**traced.failed, **failed}
    if SAVED_MODEL not in selected and SAVED_MODEL in every:
        shutil.rmtree(folder / SAVED_MODEL.file)
    signature.save(folder)
    monitor.emit(Progress(label=_("converted"), done=1 + len(every), total=1 + len(every)))
    sizes = {target.file: size_of(folder / target.file) for target in selected if target.file not in failed}
    return ConversionResult(sizes, traced.onnx_nodes, traced.tensorflow_ops, traced.transposes, failed)


def _is_needed(target: Target, selected: tuple[Target, ...]) -> bool:
    """Whether a target that was not selected must be written first."""
    return target is SAVED_MODEL and any(other.from_saved_model for other in selected)
