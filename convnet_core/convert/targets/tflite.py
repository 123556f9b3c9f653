"""Convert a SavedModel to TFLite files for LiteRT (float32, float16, int8) in a worker process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from convnet_core.common.files import size_of
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import tflite_worker
from convnet_core.errors import ConversionError, DiedError, ModelError
from convnet_core.language import _
from convnet_core.tensors.arrays import Feeds, batch_of, batched, example_feeds, fixed_batch
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content

_DEFAULT = ConvertConfig()
_SECONDS, _SECONDS_PER_MB = 600.0, 10.0
"""Time limit of a conversion. int8 calibration takes longest: 20 s for a 94 MB network on two cores."""


def warm_up() -> None:
    """Let the worker import its libraries in the background."""
    shared().submit(tflite_worker.import_libraries, {})


def save(
    saved_model: Path,
    path: Path,
    kind: str,
    calibration: Feeds,
    signature: Signature,
    config: ConvertConfig = _DEFAULT,
) -> dict[str, str]:
    """Convert a SavedModel to one TFLite file and run it once. Returns the dtype of each port by TensorFlow name.

    Inputs and outputs stay float32, except in int8 if `config` says so. `calibration` maps ONNX input names to samples
    [n, ...]. int8 requires them. The file is run on the first samples, or on random values if there are none.
    Raises ConversionError, also if the converter or LiteRT crashes. Then there is no file.
    """
    if kind == "int8" and not calibration:
        raise ConversionError(_("it needs calibration samples to determine its ranges, but there are none"))
    content: Content = {
        "saved_model": str(saved_model),
        "path": str(path),
        "kind": kind,
        "signature": dataclasses.asdict(signature),
        "config": config.to_json(),
    }
    step = tflite_worker.CONVERTING

    def on_note(content: Content, arrays: Feeds) -> None:
        nonlocal step
        step = content["step"]

    limit = _SECONDS + _SECONDS_PER_MB * size_of(saved_model) / 1e6
    samples = calibration if kind == "int8" else _test_samples(calibration, signature)
    content["run"] = samples is not None
    try:
        result, _arrays = shared().run(tflite_worker.make, content, samples or {}, notify=on_note, seconds=limit)
    except ConversionError:
        path.unlink(missing_ok=True)
        raise
    except DiedError as error:
        path.unlink(missing_ok=True)
        if step == tflite_worker.CONVERTING:
            message = _("TFLite {kind}: TFLite's converter failed: {reason}", kind=kind, reason=error)
        else:
            message = _("TFLite {kind}: LiteRT failed on a sample: {reason}", kind=kind, reason=error)
        raise ConversionError(message) from error
    return dict(result["dtypes"])


def _test_samples(calibration: Feeds, signature: Signature) -> Feeds | None:
    """Two samples, or one fixed batch. Random if there is no calibration; None if random values cannot be generated."""
    inputs = [port.info for port in signature.inputs]
    size = fixed_batch(inputs)
    if calibration:
        return batch_of(calibration, 0, size or 2, batched(inputs))
    try:
        return example_feeds(inputs, 2 if size is None else size, np.random.default_rng(0))
    except ModelError:
        return None
