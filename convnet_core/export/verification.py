"""Check that a network runs in PyTorch, and that its export gives the same results in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from convnet_core.common.formatting import join_words, list_words
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import ConfigError, ConversionError, one_line
from convnet_core.export import eager
from convnet_core.export.eager import NO_NUMPY_DTYPE, Call, run_network
from convnet_core.language import _
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
        shown = name or _("the network")
        if isinstance(module, torch.jit.ScriptModule):
            raise ConfigError(
                _("{shown} is a TorchScript program, which PyTorch's exporter cannot read", shown=shown),
                hint=_("use the original nn.Module; the program's state_dict() has the weights"),
            )
        if type(module).__module__.startswith(_QUANTIZED):
            raise ConfigError(
                _(
                    "{shown} is quantized ({type}), which PyTorch's exporter cannot read",
                    shown=shown,
                    type=type(module).__name__,
                ),
                hint=_("export the network before quantization; `convert` writes its own int8 file"),
            )
        if empty := next((key for key, value in _weights(module) if value.is_meta), None):
            raise ConfigError(
                _("{empty} of {shown} has no values: it is on PyTorch's meta device", empty=empty, shown=shown),
                hint=_("load the weights: load_state_dict(weights, assign=True)"),
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
            _(
                "the network does not run on its example ({example_text}): {reason}",
                example_text=example_text,
                reason=_describe(error),
            ),
            hint=_("set other shapes and dtypes with --example: 2,3,224,224 or int64:2,16 or samples.npy"),
        ) from error
    if unsteady:
        raise ConfigError(
            unsteady,
            hint=_("make what changes an input of the network; call F.dropout with training=self.training"),
        )
    tensors = eager.tensors(leaves)
    others = list_words(sorted({type(leaf).__name__ for leaf in leaves if not isinstance(leaf, Tensor)}))
    if not tensors:
        others = others or _("nothing")
        raise ConfigError(_("the network's forward returns no tensor, but {others}", others=others))
    for tensor in tensors:
        if tensor.dtype in NO_NUMPY_DTYPE or not is_plain(tensor):
            raise ConfigError(
                _("the network's forward returns {kind}, which NumPy does not have", kind=describe_tensor(tensor)),
                hint=_("return it as float32: y.float()"),
            )
    notes = []
    if others:
        notes.append(_("the export leaves out what forward returns besides tensors ({others})", others=others))
    if any(tensor.is_complex() for tensor in tensors):
        notes.append(_("in ONNX, complex outputs are real and imaginary parts in a last dimension of size 2"))
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
            return _("its forward fails with {batch} samples: {reason}", batch=call.batch, reason=_describe(error))
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
                details = _("{got} instead of {expected}", got=actual.shape, expected=expected.shape)
                if same_shape:
                    details = _("off by {error:.1e}", error=max_error)
                raise ConversionError(
                    _(
                        "for a batch of {batch} the export's result differs from PyTorch's "
                        "(output {output!r}, {details})",
                        batch=call.batch,
                        output=output.name,
                        details=details,
                    ),
                    hint=_("the export was discarded"),
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
    rare = sorted({item[0] for item in infer_types(exported).values()} & {"bfloat16", "float16", "float64"})
    return ConversionError(
        _("ONNX Runtime cannot run the export: {reason}", reason=one_line(error).rpartition(" : ")[2]),
        hint=_("it has few operators for {dtypes}; export the network in float32", dtypes=join_words(rare))
        if rare
        else "",
    )
