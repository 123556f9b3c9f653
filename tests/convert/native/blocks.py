"""PyTorch blocks exported to ONNX and converted by the native converter, many in one model.

A block is a module or a function with example inputs. All blocks of a table are exported as one model with one output
each, so a table costs one export and one conversion. The name of a wrong output tells which block failed.
"""

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from convnet_core.convert.native import converter
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model, tflite
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.litert import LiteRT

MAX_ERROR = 1e-5
"""Largest error, as a fraction of the range of PyTorch's output (at least 1)."""


class Block(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Bundle(nn.Module):
    """Blocks side by side: takes all their inputs in order and returns all their outputs in order."""

    def __init__(self, table):
        super().__init__()
        blocks = [block if isinstance(block, nn.Module) else Block(block) for block, *_ in table.values()]
        self.blocks = nn.ModuleList(blocks)
        self.counts = [len(inputs) for _, *inputs in table.values()]

    def forward(self, *inputs):
        results, start = [], 0
        for block, count in zip(self.blocks, self.counts, strict=True):
            results += tensors(block(*inputs[start : start + count]))
            start += count
        return tuple(results)


def tensors(value):
    """The tensors of nested tuples, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value for tensor in tensors(item)]


def randomize_parameters(module, seed=0):
    """Replace the module's parameters and statistics by random values, and put it in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator) - (0 if "running_var" in name else 0.5)
            value.copy_(noise + (0.5 if "var" in name else 0.0))
    return module.eval()


def export(table, path, dynamic):
    """Write the blocks as one ONNX model; return the bundle and its example inputs."""
    bundle = randomize_parameters(Bundle(table))
    inputs = tuple(tensor for _, *examples in table.values() for tensor in examples)
    names = [
        f"{name}.{index}"
        for (name, (_, *examples)), block in zip(table.items(), bundle.blocks, strict=True)
        for index in range(len(tensors(block(*examples))))
    ]
    shapes = {"inputs": tuple({0: torch.export.Dim("batch")} if dynamic else {} for _ in inputs)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(bundle, inputs, path, dynamo=True, dynamic_shapes=shapes, output_names=names, verbose=False)
    return bundle, inputs


def larger_batch(tensor):
    """An input with one more sample and other values."""
    if not tensor.ndim:
        return tensor
    last = tensor[:1].flip(-1)
    return torch.cat([tensor * 0.75 if tensor.is_floating_point() else tensor, last])


def mismatches(table, folder, dynamic=True, lite=True):
    """Convert the blocks; return one line for each output that differs from PyTorch's."""
    folder = Path(folder)
    bundle, inputs = export(table, folder / "model.onnx", dynamic)
    if dynamic:
        inputs = tuple(larger_batch(tensor) for tensor in inputs)
    with torch.no_grad():
        expected = [tensor.numpy() for tensor in bundle(*inputs)]
    model = model_file.load(folder / "model.onnx")
    signature = Signature.of(model)
    signature.save(folder)
    function = converter.convert(converter.read(model))  # keeps the variables alive
    concrete = saved_model.trace(function, signature)
    feeds = {port.onnx: tensor.numpy() for port, tensor in zip(signature.inputs, inputs, strict=True)}
    named = {port.tensorflow: feeds[port.onnx] for port in signature.inputs}
    got = {name: value.numpy() for name, value in concrete(**_constants(concrete, named)).items()}
    lines = differences("TensorFlow", signature, expected, {p.onnx: got[p.tensorflow] for p in signature.outputs})
    if lite:
        saved_model.save(concrete, folder / "saved_model")
        tflite.save(folder / "saved_model", folder / "model.fp32.tflite", "fp32", {}, signature)
        answers = LiteRT(folder / "model.fp32.tflite", "tflite", "native").infer(feeds)
        lines += differences("TFLite", signature, expected, answers)
    return lines


def _constants(concrete, named):
    import tensorflow as tf

    return {name: tf.constant(value) for name, value in named.items()}


def differences(runtime, signature, expected, got):
    """One line for each output that differs from PyTorch's."""
    lines = []
    for port, value in zip(signature.outputs, expected, strict=True):
        result = got[port.onnx]
        if result.shape != value.shape:
            lines.append(f"{port.onnx} in {runtime}: shape {result.shape} instead of {value.shape}")
        elif (error := _error(result, value)) > MAX_ERROR:
            lines.append(f"{port.onnx} in {runtime}: off by {error:.1e} of the range")
    return lines


def _error(result, value):
    if value.dtype.kind not in "fV" and value.dtype.kind != "c":
        return float(np.mean(result != value)) if value.size else 0.0
    if not np.array_equal(np.isnan(result), np.isnan(value)):
        return np.inf
    finite = np.isfinite(value)
    if not np.array_equal(result[~finite & ~np.isnan(value)], value[~finite & ~np.isnan(value)]):
        return np.inf
    result, value = result[finite].astype(np.float64), value[finite].astype(np.float64)
    return float(np.abs(result - value).max() / max(1.0, np.ptp(value))) if value.size else 0.0
