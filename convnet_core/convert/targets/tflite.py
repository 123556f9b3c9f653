"""A SavedModel as TFLite files for LiteRT: float32, float16 weights, and int8. A worker makes and tries them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from convnet_core.common.files import size_of
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import tflite_worker
from convnet_core.errors import ConversionError, DiedError, ModelError
from convnet_core.tensors.arrays import Feeds, batch_of, batched, example_feeds, fixed_batch
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content

_DEFAULT = ConvertConfig()
_SECONDS, _SECONDS_PER_MB = 600.0, 10.0
"""Calibrating int8 takes most: 20 s for a network of 94 MB on two cores."""


def warm_up() -> None:
    """Have the worker import its libraries, while this process has other work."""
    shared().submit(tflite_worker.import_libraries, {})


def save(
    saved_model: Path,
    path: Path,
    kind: str,
    calibration: Feeds,
    signature: Signature,
    config: ConvertConfig = _DEFAULT,
) -> dict[str, str]:
    """Convert a SavedModel to one TFLite file and run that once; gives the dtype of each port by TensorFlow name.

    Inputs and outputs stay float32, in int8 unless `config` says otherwise. `calibration` maps ONNX input names to
    samples [n, ...]: int8 needs them, and the file is run on the first; without them on drawn ones.
    Raises ConversionError, also where the converter or LiteRT crashes: there is no file then.
    """
    if kind == "int8" and not calibration:
        raise ConversionError("it needs samples that fix its ranges, and there are none")
    content: Content = {
        "saved_model": str(saved_model),
        "path": str(path),
        "kind": kind,
        "signature": dataclasses.asdict(signature),
        "config": config.to_json(),
    }
    step = tflite_worker.CONVERTING

    def hear(content: Content, arrays: Feeds) -> None:
        nonlocal step
        step = content["step"]

    limit = _SECONDS + _SECONDS_PER_MB * size_of(saved_model) / 1e6
    samples = calibration if kind == "int8" else _few(calibration, signature)
    content["run"] = samples is not None
    try:
        made, _ = shared().run(tflite_worker.make, content, samples or {}, notify=hear, seconds=limit)
    except ConversionError:
        path.unlink(missing_ok=True)
        raise
    except DiedError as error:
        path.unlink(missing_ok=True)
        what = "TFLite's converter failed" if step == tflite_worker.CONVERTING else "LiteRT failed on a sample"
        raise ConversionError(f"TFLite {kind}: {what}: {error}") from error
    return dict(made["dtypes"])


def _few(calibration: Feeds, signature: Signature) -> Feeds | None:
    """Two samples, or as many as the model takes at once; drawn where none are given, None where none can be drawn."""
    inputs = [port.info for port in signature.inputs]
    size = fixed_batch(inputs)
    if calibration:
        return batch_of(calibration, 0, size or 2, batched(inputs))
    try:
        return example_feeds(inputs, 2 if size is None else size, np.random.default_rng(0))
    except ModelError:
        return None
