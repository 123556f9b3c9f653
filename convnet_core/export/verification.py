"""Check that a network runs in PyTorch, and that its export gives the same results in ONNX Runtime."""

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
from convnet_core.export.eager import NO_NUMPY_DTYPE, Call, run_network
from convnet_core.networks.convnet import describe_tensor, eval_mode, is_plain
from convnet_core.onnx_files.model_file import inputs
from convnet_core.onnx_files.precision import output_precisions, tolerance
from convnet_core.onnx_files.tensor_types import infer_types
from convnet_core.tensors.arrays import Array

_QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def prepare_call(
    model: nn.Module, example: tuple[Tensor, ...], named: Mapping[str, Tensor] | None = None
) -> tuple[Call, tuple[str, ...]]:
    """Check that a network can be exported, and run it on its example in eval mode.

    Returns the call, and a sentence for each way in which the export's results differ in form. Raises ConfigError with
    the reason if the network cannot be exported.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ConfigError(
                f"{name or 'the network'} is a TorchScript program, which PyTorch's exporter cannot read",
                hint="use the original nn.Module; the program's state_dict() has the weights",
            )
        if type(module).__module__.startswith(_QUANTIZED):
            raise ConfigError(
                f"{name or 'the network'} is quantized ({type(module).__name__}), which PyTorch's exporter cannot read",
                hint="export the network before quantization; `convert` writes its own int8 file",
            )
        if empty := next((key for key, value in _weights(module) if value.is_meta), None):
            raise ConfigError(
                f"{empty} of {name or 'the network'} has no values: it is on PyTorch's meta device",
                hint="load the weights: load_state_dict(weights, assign=True)",
            )
    model.cpu()
    call = Call.of(model, example, named)
    try:
        with eval_mode(model), eager.reference_settings():
            leaves = run_network(model, call)
            unsteady = eager.why_unsteady(model, call)
    except (Exception, SystemExit) as error:  # user code may raise anything
        example_text = ", ".join(f"{str(item.dtype)[6:]} {list(item.shape)}" for item in call.tensors)
        raise ConfigError(
            f"the network does not run on its example ({example_text}): {_describe(error)}",
            hint="set other shapes and dtypes with --example: 2,3,224,224 or int64:2,16 or samples.npy",
        ) from error
    if unsteady:
        raise ConfigError(
            f"the network {unsteady} even in eval mode: the same input gives different results",
            hint="make what changes an input of the network; call F.dropout with training=self.training",
        )
    tensors = eager.tensors(leaves)
    others = ", ".join(sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, Tensor)}))
    if not tensors:
        raise ConfigError(f"the network's forward returns no tensor, but {others or 'nothing'}")
    for tensor in tensors:
        if tensor.dtype in NO_NUMPY_DTYPE or not is_plain(tensor):
            raise ConfigError(
                f"the network's forward returns {describe_tensor(tensor)}, which NumPy does not have",
                hint="return it as float32: y.float()",
            )
    notes = []
    if others:
        notes.append(f"the export leaves out what forward returns besides tensors ({others})")
    if any(tensor.is_complex() for tensor in tensors):
        notes.append("in ONNX, complex outputs are real and imaginary parts in a last dimension of size 2")
    return call, tuple(notes)


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def why_call_fails(model: nn.Module, call: Call) -> str:
    """The error of a network on the samples of `call`; empty if it runs."""
    with eval_mode(model), eager.reference_settings():
        try:
            run_network(model, call)
        except (Exception, SystemExit) as error:  # user code may raise anything
            return f"its forward fails with {call.batch} samples: {_describe(error)}"
    return ""


def verify(model: nn.Module, exported: onnx.ModelProto, calls: Sequence[Call]) -> float:
    """Compare the export in ONNX Runtime with PyTorch on each call. Returns the largest absolute error.

    Raises ConversionError if an output is beyond the tolerance of the precision that computes it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, so logging is not needed
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # run the graph as written
    names = [info.name for info in inputs(exported)]
    precisions = output_precisions(exported)
    worst = 0.0
    try:
        session = onnxruntime.InferenceSession(
            exported.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime raises many exception types
        raise _runtime_error(error, exported) from error
    for call in calls:
        reference = eager.tensors(run_network(model, call))
        feeds = {name: tensor.numpy() for name, tensor in zip(names, call.tensors, strict=True)}
        try:
            answers = session.run(None, feeds)
        except Exception as error:
            raise _runtime_error(error, exported) from error
        for output, actual, tensor in zip(exported.graph.output, answers, reference, strict=True):
            expected = eager.to_array(tensor)
            if call.batch == 1 and actual.size == expected.size:
                actual = actual.reshape(expected.shape)  # squeeze() in the network also removes a batch of one
            max_error, fits = _error(actual, expected, precisions[output.name])
            if not fits:
                same_shape = actual.shape == expected.shape
                details = f"off by {max_error:.1e}" if same_shape else f"{actual.shape} instead of {expected.shape}"
                raise ConversionError(
                    f"for a batch of {call.batch} the export's result differs from PyTorch's "
                    f"(output {output.name!r}, {details})",
                    hint="the export was discarded",
                )
            worst = max(worst, max_error)
    return worst


def _error(actual: Array, expected: Array, precision: str) -> tuple[float, bool]:
    """The largest absolute error of an output, and whether it is within the tolerance of a precision.

    The tolerance is relative to the largest value of each sample. Integers must be equal.
    """
    if actual.shape != expected.shape:
        return float("inf"), False
    equal = (actual == expected) | ((actual != actual) & (expected != expected))
    if expected.dtype.kind != "f":
        return float(not equal.all()), bool(equal.all())
    rtol, atol = tolerance(CompareConfig(), precision)
    finite = np.where(np.isfinite(expected), np.abs(expected), 0).astype(np.float64)
    largest = finite.max(axis=tuple(range(1, expected.ndim)), keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):
        error = np.where(equal, 0.0, np.abs(actual.astype(np.float64) - expected))
    worst = float("nan") if np.isnan(error).any() else float(error.max(initial=0.0))
    return worst, bool((error <= atol + rtol * largest).all())


def _runtime_error(error: Exception, exported: onnx.ModelProto) -> ConversionError:
    """The error for a failure of ONNX Runtime, without the number and kind that its text begins with."""
    rare = sorted({dtype for dtype, _ in infer_types(exported).values()} & {"bfloat16", "float16", "float64"})
    return ConversionError(
        f"ONNX Runtime cannot run the export: {one_line(error).rpartition(' : ')[2]}",
        hint=f"it has few operators for {' and '.join(rare)}; export the network in float32" if rare else "",
    )
