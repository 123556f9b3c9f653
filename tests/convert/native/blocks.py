"""Blocks of PyTorch through today's exporter and the native converter, many in one model.

A block is a module, or a function, with example inputs. All blocks of a table are exported as one model with an output
for each, so that a kind of blocks costs one export and one conversion; where something fails, the output names it.
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

ALLOWED = 1e-5
"""Of the range of PyTorch's output, or of 1 where that is less."""


class Block(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Bundle(nn.Module):
    """Blocks side by side: the inputs of all in a row, the outputs of all in a row."""

    def __init__(self, table):
        super().__init__()
        blocks = [block if isinstance(block, nn.Module) else Block(block) for block, *_ in table.values()]
        self.blocks = nn.ModuleList(blocks)
        self.counts = [len(inputs) for _, *inputs in table.values()]

    def forward(self, *inputs):
        results, place = [], 0
        for block, count in zip(self.blocks, self.counts, strict=True):
            results += tensors(block(*inputs[place : place + count]))
            place += count
        return tuple(results)


def tensors(value):
    """The tensors of nested tuples, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value for tensor in tensors(item)]


def randomised(module, seed=0):
    """The module in eval mode, without zeros and ones among its parameters and statistics."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            drawn = torch.rand(value.shape, generator=generator) - (0 if "running_var" in name else 0.5)
            value.copy_(drawn + (0.5 if "var" in name else 0.0))
    return module.eval()


def export(table, path, dynamic):
    """Write the blocks as one ONNX model; gives the bundle and its example inputs."""
    bundle = randomised(Bundle(table))
    inputs = tuple(tensor for _, *given in table.values() for tensor in given)
    names = [
        f"{name}.{place}"
        for (name, (_, *given)), block in zip(table.items(), bundle.blocks, strict=True)
        for place in range(len(tensors(block(*given))))
    ]
    shapes = {"inputs": tuple({0: torch.export.Dim("batch")} if dynamic else {} for _ in inputs)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(bundle, inputs, path, dynamo=True, dynamic_shapes=shapes, output_names=names, verbose=False)
    return bundle, inputs


def another(tensor):
    """An input of a batch that is larger by one, with other values."""
    if not tensor.ndim:
        return tensor
    last = tensor[:1].flip(-1)
    return torch.cat([tensor * 0.75 if tensor.is_floating_point() else tensor, last])


def wrong(table, folder, dynamic=True, lite=True):
    """What the converted blocks give that PyTorch does not, a line for each output."""
    folder = Path(folder)
    bundle, inputs = export(table, folder / "model.onnx", dynamic)
    if dynamic:
        inputs = tuple(another(tensor) for tensor in inputs)
    with torch.no_grad():
        expected = [tensor.numpy() for tensor in bundle(*inputs)]
    model = model_file.load(folder / "model.onnx")
    signature = Signature.of(model)
    signature.save(folder)
    function = converter.convert(model)  # its variables live as long as it
    concrete = saved_model.trace(function, signature)
    feeds = {port.onnx: tensor.numpy() for port, tensor in zip(signature.inputs, inputs, strict=True)}
    named = {port.tensorflow: feeds[port.onnx] for port in signature.inputs}
    got = {name: value.numpy() for name, value in concrete(**_constants(concrete, named)).items()}
    found = differences("TensorFlow", signature, expected, {p.onnx: got[p.tensorflow] for p in signature.outputs})
    if lite:
        saved_model.save(concrete, folder / "saved_model")
        tflite.save(folder / "saved_model", folder / "model.fp32.tflite", "fp32", {}, signature)
        answers = LiteRT(folder / "model.fp32.tflite", "tflite", "native").infer(feeds)
        found += differences("TFLite", signature, expected, answers)
    return found


def _constants(concrete, named):
    import tensorflow as tf

    return {name: tf.constant(value) for name, value in named.items()}


def differences(runtime, signature, expected, got):
    """A line for each output that is not PyTorch's."""
    found = []
    for port, value in zip(signature.outputs, expected, strict=True):
        result = got[port.onnx]
        if result.shape != value.shape:
            found.append(f"{port.onnx} in {runtime}: shape {result.shape} instead of {value.shape}")
        elif (error := _error(result, value)) > ALLOWED:
            found.append(f"{port.onnx} in {runtime}: off by {error:.1e} of the range")
    return found


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
