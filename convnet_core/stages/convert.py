"""The stage `convert`: model.onnx → SavedModel, frozen graph, TFLite."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from convnet_core.config.stages import ConvertConfig, DataConfig
from convnet_core.convert import float16
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel, load_model
from convnet_core.convert.targets.table import TFLITE_FP16
from convnet_core.convert.targets.tflite import warm_up
from convnet_core.events import Message, Monitor
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import ConversionResult
from convnet_core.stages.samples import calibration
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.model_inputs import InputSpec

_NO_SPEC = InputSpec()


def run_convert(
    run: Run,
    config: ConvertConfig,
    monitor: Monitor,
    *,
    data_config: DataConfig | None = None,
    input_spec: InputSpec = _NO_SPEC,
    samples: Path | None = None,
    model: LoadedModel | None = None,
) -> ConversionResult:
    """Convert the run's ONNX model and write `convert/<converter>/`.

    int8 is calibrated on training images of the run's data set, or of `data_config`; for an imported model on the
    samples of an .npz file, or on inputs that `input_spec` describes. `model` is the run's model if it is loaded.
    """
    stage = f"convert/{config.converter}"
    with stage_events("convert", monitor) as line:
        run.require("export")
        warm_up()
        with run.write_stage(stage, config.to_json(), run.model_files) as draft:
            model = model or load_model(run)
            samples_for_int8 = calibration(run, model, config, monitor, data_config, input_spec, samples)
            draft.inputs["data"] = samples_for_int8.fingerprint
            file = None if model.has_graph else run.path / "export" / model_file.FILE
            converted = convert(model, draft.path, config, samples_for_int8.feeds, monitor, file)
            if TFLITE_FP16.file in converted.sizes and (losses := float16.lost_constants(model.proto)):
                monitor.emit(Message(text=_("{file} stores float16: {losses}", file=TFLITE_FP16.file, losses=losses)))
            draft.result = {**dataclasses.asdict(converted), **samples_for_int8.record}
        line.summary = converted.headline
    return converted
