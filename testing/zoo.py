"""Convert one torchvision network and measure it against ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

BATCHES = (1, 3)


ALLOWED = 1e-5
"""The largest allowed error, as a fraction of the range of ONNX Runtime's output."""


_REPEATS = 5


def measure(name: str, folder: Path) -> dict[str, Any]:
    """All figures about one network; `refused` holds the reason if the exporter rejects it."""
    from testing.zoo_networks import noise, recipes

    recipe = next(recipe for recipe in recipes() if recipe.name == name)
    model = recipe.build()
    result: dict[str, Any] = {
        "kind": recipe.kind,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    try:
        dynamic = export(model, recipe.inputs(2, 1), folder / "model.onnx")
    except Exception as error:  # the exporter raises many kinds
        from convnet_core.export.exporter_errors import summarize

        return {**result, "refused": summarize(error)}
    feeds = {batch: [tensor.numpy() for tensor in recipe.inputs(batch, 7)] for batch in (BATCHES if dynamic else (2,))}
    result["noise"] = noise(model, recipe.inputs(max(feeds), 7))
    del model
    return {**result, "dynamic": dynamic, **convert_and_compare(folder, feeds, last_only=recipe.kind == "optical flow")}


def export(model: Any, inputs: tuple[Any, ...], path: Path) -> bool:
    """Write model.onnx; returns whether its batch is dynamic. The exporter may fix the batch, sometimes silently."""
    import torch

    from convnet_core.onnx_files import model_file

    shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(model, inputs, path, dynamo=True, dynamic_shapes=shapes, verbose=False)
        except Exception as first:  # the exporter raises many kinds
            try:
                torch.onnx.export(model, inputs, path, dynamo=True, verbose=False)
            except Exception:
                raise first from None
    return all(info.shape[0] is None for info in model_file.inputs(model_file.load(path)))


def convert_and_compare(folder: Path, feeds: dict[int, list[Any]], last_only: bool) -> dict[str, Any]:
    """Convert model.onnx in `folder` and compare with ONNX Runtime on the feeds of each batch size.

    `errors` cover all outputs, or only the last one; then `drafts` covers the others too.
    """
    from convnet_core.common.tensorflow_import import import_tensorflow
    from convnet_core.convert import node_map as nodes
    from convnet_core.convert.native import converter
    from convnet_core.convert.signature import Signature
    from convnet_core.convert.targets import saved_model, tflite
    from convnet_core.errors import ConversionError
    from convnet_core.onnx_files import model_file
    from convnet_core.runtimes.litert import LiteRT
    from convnet_core.runtimes.onnxruntime import OnnxRuntime
    from convnet_core.runtimes.tensorflow import TensorFlowSavedModel

    import_tensorflow()
    model = model_file.load(folder / "model.onnx")
    signature = Signature.of(model)
    signature.save(folder)
    start = time.perf_counter()
    function = converter.convert(converter.read(model))
    concrete = saved_model.trace(function, signature)
    saved_model.save(concrete, folder / "saved_model")
    seconds = {"saved_model": time.perf_counter() - start}
    start, tflite_error = time.perf_counter(), ""
    try:
        tflite.save(folder / "saved_model", folder / "model.fp32.tflite", "fp32", {}, signature)
    except ConversionError as error:
        tflite_error = str(error)
    seconds["tflite"] = time.perf_counter() - start
    ops = [op.type for entry in nodes.node_map(model, concrete, function) for op in entry.ops]

    runtimes = {
        "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2),
        "saved_model": TensorFlowSavedModel(folder / "saved_model", "native"),
    }
    if not tflite_error:
        runtimes["tflite"] = LiteRT(folder / "model.fp32.tflite", "tflite", "native", threads=2)
    names = [port.onnx for port in signature.inputs]
    inputs = {batch: dict(zip(names, arrays, strict=True)) for batch, arrays in feeds.items()}
    expected = {batch: runtimes["onnxruntime"].infer(arrays) for batch, arrays in inputs.items()}
    output_names = [port.onnx for port in signature.outputs]
    errors, drafts = {}, dict[str, float]()
    for name in list(runtimes)[1:]:
        by_output = {
            batch: _errors(expected[batch], runtimes[name].infer(arrays), output_names)
            for batch, arrays in inputs.items()
        }
        errors[name] = {batch: max(values[-1:] if last_only else values) for batch, values in by_output.items()}
        if last_only:
            drafts[name] = max(max(values) for values in by_output.values())
    return {
        "nodes": len(model.graph.node),
        "seconds": seconds,
        "tensorflow_ops": len(ops),
        "transposes": ops.count("Transpose"),
        "errors": errors,
        "drafts": drafts,
        "no_tflite": tflite_error,
        "latency_ms": _latencies(
            {**runtimes, "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2, optimized=True)},
            inputs[min(inputs)],
        ),
    }


def _errors(expected: dict[str, Any], actual: dict[str, Any], names: list[str]) -> list[float]:
    """The largest absolute error of each output, as a fraction of its range."""
    errors = []
    for name in names:
        reference = expected[name].astype(np.float64)
        assert reference.shape == actual[name].shape, (name, reference.shape, actual[name].shape)
        error = float(np.abs(reference - actual[name]).max() / np.ptp(reference))
        errors.append(error if np.isfinite(error) else float("inf"))
    return errors


def _latencies(runtimes: dict[str, Any], feeds: dict[str, Any]) -> dict[str, float]:
    """Median latency in milliseconds over five calls; the runtimes take turns."""
    times: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(_REPEATS):
        for name, runtime in runtimes.items():
            start = time.perf_counter()
            runtime.infer(feeds)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}
