"""The stage `convert`: model.onnx → SavedModel, frozen graph, TFLite."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from convnet_core.common.formatting import format_count
from convnet_core.config.stages import ConvertConfig, DataConfig
from convnet_core.convert import float16
from convnet_core.convert.convert import ConversionSummary, convert
from convnet_core.convert.targets.table import TFLITE_FP16
from convnet_core.convert.targets.tflite import warm_up
from convnet_core.events import Message, Monitor
from convnet_core.onnx_files import model_file
from convnet_core.runs.run import Run
from convnet_core.stages.samples import calibration
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.model_inputs import InputSpec

_NOTHING = InputSpec()


def run_convert(
    run: Run,
    config: ConvertConfig,
    monitor: Monitor,
    *,
    data_config: DataConfig | None = None,
    input_spec: InputSpec = _NOTHING,
    samples: Path | None = None,
) -> ConversionSummary:
    """Convert the run's ONNX model and write `convert/<converter>/`.

    int8 is calibrated on the training set that the run was trained on, or on that of `data_config`; for a model from
    elsewhere, on the samples of an .npz file, or on what is `input_spec` says of its inputs.
    """
    stage = f"convert/{config.converter}"
    with stage_events("convert", monitor) as line:
        run.require("export")
        warm_up()
        with run.write_stage(stage, config.to_json(), run.model_files) as draft:
            chosen = calibration(run, config, monitor, data_config, input_spec, samples)
            draft.inputs["data"] = chosen.fingerprint
            model = model_file.load(run.path / "export/model.onnx")
            converted = convert(model, draft.path, config, chosen.feeds, monitor)
            if TFLITE_FP16.file in converted.sizes and (losses := float16.lost_constants(model)):
                monitor.emit(Message(text=f"{TFLITE_FP16.file} holds float16: {losses}"))
            draft.result = {**dataclasses.asdict(converted), **chosen.record}
        line.summary = (
            f"{format_count(converted.onnx_nodes, 'ONNX node')} became "
            f"{format_count(converted.tensorflow_ops, 'TensorFlow op')}, {converted.transposes} of them transposes"
        )
    return converted
