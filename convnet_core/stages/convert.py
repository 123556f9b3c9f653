"""The stage `convert`: model.onnx → SavedModel, frozen graph, TFLite."""

from __future__ import annotations

import dataclasses

import numpy as np

from convnet_core import data, onnx_model
from convnet_core.config import ConvertConfig, DataConfig
from convnet_core.convert import Converted, convert
from convnet_core.events import Monitor
from convnet_core.model import INPUT
from convnet_core.provenance import data_of
from convnet_core.runs import Run
from convnet_core.stages._stage import told


def run_convert(
    run: Run, config: ConvertConfig, monitor: Monitor, *, data_config: DataConfig | None = None
) -> Converted:
    """Convert the run's ONNX model and write `convert/<converter>/`.

    Calibration images come from the training set that the run was trained on, or from `data_config`.
    """
    stage = f"convert/{config.converter}"
    with told("convert", monitor) as line:
        run.need("export")
        data_config = data_config or data_of(run)
        digits = data.load(data_config, monitor)
        size = min(config.calibration_size, len(digits.train))
        chosen = np.random.default_rng(config.seed).choice(len(digits.train), size, replace=False)
        calibration = {INPUT: data.Split(digits.train.images[chosen], digits.train.labels[chosen]).scaled()}
        with run.writing(stage, config.to_json(), ("export/model.onnx",)) as draft:
            draft.inputs["data"] = digits.fingerprint
            model = onnx_model.load(run.path / "export/model.onnx")
            converted = convert(model, draft.path, config, calibration, monitor)
            draft.result = {**dataclasses.asdict(converted), "data": data_config.to_json()}
        line.summary = f"{converted.onnx_nodes} ONNX nodes became {converted.tensorflow_ops} TensorFlow ops"
    return converted
