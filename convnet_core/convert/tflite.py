"""A SavedModel as TFLite files for LiteRT: float32, float16 weights, and int8."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convnet_core.config import ConvertConfig
from convnet_core.convert.names import Signature
from convnet_core.convert.tflite_errors import reason
from convnet_core.errors import ConversionError
from convnet_core.tensorflow_setup import import_tensorflow
from convnet_core.tensors import Feeds, batch_of, batched, fixed_batch, sample_count

log = logging.getLogger(__name__)

KINDS = ("fp32", "fp16", "int8")
_DEFAULT = ConvertConfig()


def save(
    saved_model: Path,
    path: Path,
    kind: str,
    calibration: Feeds,
    signature: Signature,
    config: ConvertConfig = _DEFAULT,
) -> None:
    """Convert a SavedModel to one TFLite file; inputs and outputs stay float32, in int8 unless `config` says otherwise.

    `calibration` maps ONNX input names to samples [n, ...]; only int8 uses it.
    Raises ConversionError.
    """
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        if not calibration:
            raise ConversionError("it needs samples that fix its ranges, and there are none")
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _samples(calibration, signature)
        converter.inference_input_type = tf.as_dtype(config.int8_inputs)
        converter.inference_output_type = tf.as_dtype(config.int8_outputs)
    try:
        with _quiet_tensorflow(), _quick_collections():
            content = converter.convert()
    except Exception as error:  # the converter raises many kinds, with traces of C++ in the text
        raise ConversionError(f"TFLite {kind}: {reason(str(error))}") from error
    path.write_bytes(content)


def dtypes(path: Path) -> dict[str, str]:
    """The dtype of each input and output of a TFLite file, by its TensorFlow name."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {name: np.dtype(item["dtype"]).name for name, item in details.items()}


def _samples(calibration: Feeds, signature: Signature) -> Iterator[dict[str, Any]]:
    inputs = [port.info for port in signature.inputs]
    names, size = batched(inputs), max(fixed_batch(inputs) or 1, 1)
    for start in range(0, sample_count(calibration, names) - size + 1, size):
        sample = batch_of(calibration, start, start + size, names)
        yield {port.tensorflow: port.from_onnx(sample[port.onnx]) for port in signature.inputs}


@contextlib.contextmanager
def _quick_collections() -> Iterator[None]:
    """What lives already is not looked through for garbage meanwhile.

    TensorFlow 2.21's `convert` calls `gc.collect()`, which walks through all that TensorFlow's import left: 0.13 of
    0.21 s for a small network.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """TensorFlow's Python warnings of a conversion go to the log alone."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
