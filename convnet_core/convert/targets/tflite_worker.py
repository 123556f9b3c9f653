"""The worker side of `tflite.py`: create a TFLite file and run it once. Either may crash the process."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.quantization import quantize
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets.tflite_errors import reason
from convnet_core.convert.targets.tflite_infinity import may_have_lost_infinity, restore_infinity
from convnet_core.errors import ConversionError, one_line
from convnet_core.language import _
from convnet_core.tensors.arrays import Feeds, batch_of, batched, fixed_batch, sample_count
from convnet_core.worker.messages import Content, Message, Notify

CONVERTING, RUNNING = "converting", "running"


def import_libraries(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Import what `make` needs ahead of time."""
    import_tensorflow()
    import ai_edge_litert.interpreter  # noqa: F401

    return {}, {}


def make(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Convert `saved_model` to the TFLite file `path` and run it on samples. Returns the `dtypes` of its ports.

    `arrays` are samples [n, ...] by ONNX name. Sends the current `step` with `notify`. Raises ConversionError.
    """
    kind, path = content["kind"], Path(content["path"])
    signature, config = dataclass_from_json(Signature, content["signature"]), ConvertConfig.from_json(content["config"])
    notify({"step": CONVERTING}, {})
    converted = convert_saved_model(content["saved_model"], kind, arrays, signature, config)
    if kind == "fp16" and may_have_lost_infinity(converted):
        float32 = convert_saved_model(content["saved_model"], "fp32", arrays, signature, config)
        converted = restore_infinity(converted, float32)
    path.write_bytes(converted)
    notify({"step": RUNNING}, {})
    if content["run"]:
        check_file(path, kind, Path(content["saved_model"]), arrays, signature)
    return {"dtypes": _dtypes(path)}, {}


# -- converting -------------------------------------------------------------------------------------


def convert_saved_model(
    saved_model: str, kind: str, samples: Feeds, signature: Signature, config: ConvertConfig
) -> bytes:
    """A SavedModel as a TFLite file of a `kind`: fp32, fp16 or int8. Raises ConversionError."""
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    # By default, the converter replaces infinity by the largest finite value. Only int8 needs that.
    converter.canonicalizing_inf_as_min_max_float = kind == "int8"
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _representative(samples, signature)
        converter.inference_input_type = tf.as_dtype(config.int8_inputs)
        converter.inference_output_type = tf.as_dtype(config.int8_outputs)
    try:
        with _quiet_tensorflow(), _fast_gc():
            return bytes(converter.convert())
    except Exception as error:  # the converter raises many kinds, with C++ traces in the text
        raise ConversionError(_("TFLite {kind}: {reason}", kind=kind, reason=reason(str(error)))) from error


def _representative(samples: Feeds, signature: Signature) -> Iterator[dict[str, Any]]:
    """The samples one by one, or in the model's fixed batch size."""
    inputs = [port.info for port in signature.inputs]
    names, size = batched(inputs), max(fixed_batch(inputs) or 1, 1)
    for start in range(0, sample_count(samples, names) - size + 1, size):
        yield _tensorflow_feeds(batch_of(samples, start, start + size, names), signature)


@contextlib.contextmanager
def _fast_gc() -> Iterator[None]:
    """Exclude existing objects from garbage collection.

    TensorFlow 2.21's `convert` calls `gc.collect()`, which scans all objects from TensorFlow's import: 0.13 of 0.21 s
    for a small network.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Hide TensorFlow's Python warnings during a conversion."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


# -- running ----------------------------------------------------------------------------------------


def check_file(path: Path, kind: str, saved_model: Path, samples: Feeds, signature: Signature) -> None:
    """Run a file on samples, at two batch sizes if its batch is dynamic.

    Raises ConversionError if LiteRT fails on samples that TensorFlow can run. If both fail, the samples are invalid.
    """
    inputs = [port.info for port in signature.inputs]
    names, fixed = batched(inputs), fixed_batch(inputs)
    runner = _runner(path, kind)
    details = runner.get_input_details()
    for size in (1, 2) if fixed is None else (fixed,):
        feeds = _tensorflow_feeds(_repeat_samples(samples, size, names), signature)
        try:
            runner(**{name: quantize(array, details[name]) for name, array in feeds.items()})
        except (ValueError, RuntimeError) as error:
            if _tensorflow_runs(saved_model, feeds):
                raise ConversionError(_cannot_run(kind, size if fixed is None else None, one_line(error))) from error


def _cannot_run(kind: str, batch: int | None, reason: str) -> str:
    if batch is None:
        return _("TFLite {kind}: LiteRT cannot run it: {reason}", kind=kind, reason=reason)
    return _("TFLite {kind}: LiteRT cannot run it at batch {batch}: {reason}", kind=kind, batch=batch, reason=reason)


def _runner(path: Path, kind: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    except (ValueError, RuntimeError) as error:
        raise ConversionError(
            _("TFLite {kind}: LiteRT cannot load it: {reason}", kind=kind, reason=one_line(error))
        ) from error


def _tensorflow_runs(saved_model: Path, feeds: Feeds) -> bool:
    """Whether TensorFlow runs the model and returns non-empty tensors.

    LiteRT 2.3 does not support empty tensors, which a random size of 0 can cause.
    """
    tf = import_tensorflow()
    module = tf.saved_model.load(str(saved_model))  # the module keeps the signature alive
    try:
        outputs = module.signatures["serving_default"](**{name: tf.constant(array) for name, array in feeds.items()})
    except Exception:  # TensorFlow raises many kinds
        return False
    empty_feeds = any(array.size == 0 for array in feeds.values())
    return empty_feeds or all(tensor.shape.num_elements() for tensor in outputs.values())


def _repeat_samples(samples: Feeds, size: int, names: frozenset[str]) -> Feeds:
    """The first `size` samples, repeated from the start if there are too few."""
    return {
        name: array[np.arange(size) % max(len(array), 1)] if name in names else array for name, array in samples.items()
    }


def _tensorflow_feeds(samples: Feeds, signature: Signature) -> Feeds:
    return {port.tensorflow: port.from_onnx(samples[port.onnx]) for port in signature.inputs}


def _dtypes(path: Path) -> dict[str, str]:
    runner = _runner(path, "")
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {name: np.dtype(item["dtype"]).name for name, item in details.items()}
