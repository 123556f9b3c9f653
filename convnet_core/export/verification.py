"""Whether an export gives PyTorch's answer in ONNX Runtime, and whether the network runs at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from convnet_core.config.stages import CompareConfig
from convnet_core.errors import ConfigError, ConversionError, one_line
from convnet_core.export import eager
from convnet_core.export.eager import UNKNOWN, Call, answer
from convnet_core.networks.convnet import describe_tensor, eval_mode, is_plain
from convnet_core.onnx_files.model_file import inputs
from convnet_core.onnx_files.precision import output_precisions, tolerance
from convnet_core.onnx_files.tensor_types import infer_types
from convnet_core.tensors.arrays import Array

_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def runnable(
    model: nn.Module, example: tuple[Tensor, ...], named: Mapping[str, Tensor] | None = None
) -> tuple[Call, tuple[str, ...]]:
    """The call of a network with its example, after a first run in eval mode; and what an export has in another way,
    a sentence each. Raises ConfigError where it cannot be exported, and says why.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ConfigError(
                f"{name or 'the network'} is a TorchScript program, which PyTorch's exporter cannot read",
                hint="take the nn.Module that it was made from; the weights are in the program's state_dict()",
            )
        if type(module).__module__.startswith(_QUANTIZED):
            raise ConfigError(
                f"{name or 'the network'} is quantized ({type(module).__name__}), which PyTorch's exporter cannot read",
                hint="export the network from before it was quantized; `convert` makes an int8 file of its own",
            )
        if empty := next((key for key, value in _weights(module) if value.is_meta), None):
            raise ConfigError(
                f"{empty} of {name or 'the network'} has no values: it is on PyTorch's meta device",
                hint="load the weights: load_state_dict(weights, assign=True)",
            )
    model.cpu()
    call = Call.of(model, example, named)
    try:
        with eval_mode(model), eager.plain():
            leaves = answer(model, call)
            unsteady = eager.unsteady(model, call)
    except (Exception, SystemExit) as error:  # their code may raise any
        given = ", ".join(f"{str(item.dtype)[6:]} {list(item.shape)}" for item in call.tensors)
        raise ConfigError(
            f"the network does not run on its example ({given}): {_said(error)}",
            hint="--example says other shapes and dtypes: 2,3,224,224 or int64:2,16 or samples.npy",
        ) from error
    if unsteady:
        raise ConfigError(
            f"the network {unsteady}, also in eval mode: it gives another answer to the same input each time",
            hint="an ONNX file cannot: make what changes an input; F.dropout needs training=self.training",
        )
    tensors = eager.tensors(leaves)
    others = ", ".join(sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, Tensor)}))
    if not tensors:
        raise ConfigError(f"the network's forward returns no tensor, but {others or 'nothing'}")
    for tensor in tensors:
        if tensor.dtype in UNKNOWN or not is_plain(tensor):
            raise ConfigError(
                f"the network's forward returns {describe_tensor(tensor)}, which NumPy does not have",
                hint="return it as plain float32: y.float()",
            )
    notes = []
    if others:
        notes.append(f"what forward returns beside its tensors ({others}) is not in the export")
    if any(tensor.is_complex() for tensor in tensors):
        notes.append("complex outputs are pairs of real and imaginary parts in ONNX, in a last dimension of 2")
    return call, tuple(notes)


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def why_one_size(model: nn.Module, call: Call) -> str:
    """Why a network takes no other batch, by its own words; empty where it takes that of `call`."""
    with eval_mode(model), eager.plain():
        try:
            answer(model, call)
        except (Exception, SystemExit) as error:  # their code may raise any
            return f"its forward fails with {call.batch} samples: {_said(error)}"
    return ""


def verify(model: nn.Module, made: onnx.ModelProto, calls: Sequence[Call]) -> float:
    """Run the export against PyTorch on each call; the largest absolute error. Raises ConversionError beyond the
    tolerance of the precision that each output is computed in.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is in the error
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # as the file says
    names = [info.name for info in inputs(made)]
    precisions = output_precisions(made)
    worst = 0.0
    try:
        session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has many kinds
        raise _not_run(error, made) from error
    for call in calls:
        wanted = eager.tensors(answer(model, call))
        feeds = {name: tensor.numpy() for name, tensor in zip(names, call.tensors, strict=True)}
        try:
            answers = session.run(None, feeds)
        except Exception as error:
            raise _not_run(error, made) from error
        for output, got, tensor in zip(made.graph.output, answers, wanted, strict=True):
            expected = eager.array(tensor)
            if call.batch == 1 and got.size == expected.size:
                got = got.reshape(expected.shape)  # squeeze() takes the batch of one away, too
            off, fits = _error(got, expected, precisions[output.name])
            if not fits:
                other = f"off by {off:.1e}" if got.shape == expected.shape else f"{got.shape} for {expected.shape}"
                raise ConversionError(
                    f"for a batch of {call.batch} the export does not give PyTorch's answer "
                    f"(output {output.name!r}, {other})",
                    hint="it was not kept",
                )
            worst = max(worst, off)
    return worst


def _error(got: Array, expected: Array, precision: str) -> tuple[float, bool]:
    """The largest absolute error of an output, and whether it is within the tolerance of a precision, which knows each
    sample's largest value. Whole numbers have to be equal.
    """
    if got.shape != expected.shape:
        return float("inf"), False
    equal = (got == expected) | ((got != got) & (expected != expected))
    if expected.dtype.kind != "f":
        return float(not equal.all()), bool(equal.all())
    rtol, atol = tolerance(CompareConfig(), precision)
    finite = np.where(np.isfinite(expected), np.abs(expected), 0).astype(np.float64)
    largest = finite.max(axis=tuple(range(1, expected.ndim)), keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):
        error = np.where(equal, 0.0, np.abs(got.astype(np.float64) - expected))
    worst = float("nan") if np.isnan(error).any() else float(error.max(initial=0.0))
    return worst, bool((error <= atol + rtol * largest).all())


def _not_run(error: Exception, made: onnx.ModelProto) -> ConversionError:
    """For an error of ONNX Runtime, which begins with its number and kind."""
    rare = sorted({dtype for dtype, _ in infer_types(made).values()} & {"bfloat16", "float16", "float64"})
    return ConversionError(
        f"ONNX Runtime cannot run the export: {one_line(error).rpartition(' : ')[2]}",
        hint=f"it has few operators for {' and '.join(rare)}: export the network in float32" if rare else "",
    )
