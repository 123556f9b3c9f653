"""One network of torchvision through the converter, measured against ONNX Runtime."""

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
"""The largest error, as a part of the range of ONNX Runtime's output."""


_REPEATS = 5


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Everything about one network; with `refused` where the exporter does not take it."""
    from testing.zoo_networks import noise, recipes

    recipe = next(recipe for recipe in recipes() if recipe.name == name)
    model = recipe.build()
    found: dict[str, Any] = {
        "kind": recipe.kind,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    try:
        dynamic = export(model, recipe.inputs(2, 1), folder / "model.onnx")
    except Exception as error:  # the exporter raises many kinds
        from convnet_core.export.exporter_errors import reason_of

        return {**found, "refused": reason_of(error)}
    feeds = {batch: [tensor.numpy() for tensor in recipe.inputs(batch, 7)] for batch in (BATCHES if dynamic else (2,))}
    found["noise"] = noise(model, recipe.inputs(max(feeds), 7))
    del model
    return {**found, "dynamic": dynamic, **converted(folder, feeds, last=recipe.kind == "optical flow")}


def export(model: Any, inputs: tuple[Any, ...], path: Path) -> bool:
    """Write model.onnx; whether its batch is dynamic. The exporter may fix it, and may say so or not."""
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


def converted(folder: Path, feeds: dict[int, list[Any]], last: bool) -> dict[str, Any]:
    """Convert model.onnx in `folder`, and compare with ONNX Runtime on the feeds of each batch size.

    All outputs, or the `last` alone: the others are kept as `drafts` of it.
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
    began = time.perf_counter()
    function = converter.convert(model)
    concrete = saved_model.trace(function, signature)
    saved_model.save(concrete, folder / "saved_model")
    took = {"saved_model": time.perf_counter() - began}
    began, lacking = time.perf_counter(), ""
    try:
        tflite.save(folder / "saved_model", folder / "model.fp32.tflite", "fp32", {}, signature)
    except ConversionError as error:
        lacking = str(error)
    took["tflite"] = time.perf_counter() - began
    ops = [op["type"] for node in nodes.node_map(model, concrete, function) for op in node["ops"]]

    runtimes = {
        "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2),
        "saved_model": TensorFlowSavedModel(folder / "saved_model", "native"),
    }
    if not lacking:
        runtimes["tflite"] = LiteRT(folder / "model.fp32.tflite", "tflite", "native", threads=2)
    names = [port.onnx for port in signature.inputs]
    inputs = {batch: dict(zip(names, arrays, strict=True)) for batch, arrays in feeds.items()}
    expected = {batch: runtimes["onnxruntime"].infer(given) for batch, given in inputs.items()}
    answers = [port.onnx for port in signature.outputs]
    errors, drafts = {}, dict[str, float]()
    for name in list(runtimes)[1:]:
        by_output = {
            batch: _errors(expected[batch], runtimes[name].infer(given), answers) for batch, given in inputs.items()
        }
        errors[name] = {batch: max(found[-1:] if last else found) for batch, found in by_output.items()}
        if last:
            drafts[name] = max(max(found) for found in by_output.values())
    return {
        "nodes": len(model.graph.node),
        "seconds": took,
        "tensorflow_ops": len(ops),
        "transposes": ops.count("Transpose"),
        "errors": errors,
        "drafts": drafts,
        "no_tflite": lacking,
        "latency_ms": _latencies(
            {**runtimes, "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2, optimized=True)},
            inputs[min(inputs)],
        ),
    }


def _errors(expected: dict[str, Any], got: dict[str, Any], names: list[str]) -> list[float]:
    """The largest absolute error of each output, as a part of its range."""
    found = []
    for name in names:
        reference = expected[name].astype(np.float64)
        assert reference.shape == got[name].shape, (name, reference.shape, got[name].shape)
        error = float(np.abs(reference - got[name]).max() / np.ptp(reference))
        found.append(error if np.isfinite(error) else float("inf"))
    return found


def _latencies(runtimes: dict[str, Any], feeds: dict[str, Any]) -> dict[str, float]:
    """Milliseconds in the middle of five calls; the runtimes take turns."""
    times: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(_REPEATS):
        for name, runtime in runtimes.items():
            began = time.perf_counter()
            runtime.infer(feeds)
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(found) for name, found in times.items()}
