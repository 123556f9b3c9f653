"""PyTorch → ONNX, with verification of the result."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from convnet_core.config.stages import ExportConfig
from convnet_core.data.split import SIDE
from convnet_core.errors import ConversionError
from convnet_core.export import eager
from convnet_core.export.eager import Call
from convnet_core.export.exporter_errors import explain, newer_opset_error
from convnet_core.export.verification import prepare_call, verify, why_call_fails
from convnet_core.language import N_, _
from convnet_core.networks.convnet import eval_mode
from convnet_core.networks.ports import INPUT, OUTPUT
from convnet_core.onnx_files.model_file import ONE_FILE, check, inputs, size

log = logging.getLogger(__name__)

_CONSTANT_BATCH = N_(
    "PyTorch's exporter made it a constant, because of len(x), int(x.shape[0]) or a loop over x in the network"
)


@dataclass(frozen=True)
class Exported:
    """An ONNX model, and the largest difference between ONNX Runtime's results and PyTorch's.

    `program` is the exported network in PyTorch's operators. `fixed_batch_reason` says why the batch size is fixed to
    that of the example; empty if the batch is dynamic. `notes` list differences between the network's results in
    PyTorch and ONNX.
    """

    model: onnx.ModelProto
    program: torch.export.ExportedProgram
    max_abs_error: float
    fixed_batch_reason: str = ""
    notes: tuple[str, ...] = ()


def export(model: nn.Module, config: ExportConfig) -> Exported:
    """Export a network for digits with a dynamic batch dimension, and verify it. Raises ConversionError."""
    example = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return _export_verified(model, Call((example,), {}), config, (INPUT,), (OUTPUT,), dynamic=True)


def export_in_current_mode(model: nn.Module, config: ExportConfig) -> onnx.ModelProto:
    """Export a network for digits in its current mode without verification, to show the effect of train mode.

    Uses PyTorch's older exporter, since the new one (PyTorch 2.14) exports BatchNorm in train mode as in eval mode.
    """
    file = io.BytesIO()
    with _quietly():
        torch.onnx.export(
            model,
            (torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
            file,  # type: ignore[arg-type]  # the older exporter accepts a BytesIO
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=config.opset,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def export_any(
    model: nn.Module,
    example: tuple[Tensor, ...],
    config: ExportConfig,
    named: Mapping[str, Tensor] | None = None,
) -> Exported:
    """Export any network whose forward takes the tensors `example` [batch, ...] and `named`, and verify it.

    If all tensors have the same first dimension, it is the batch, which is dynamic if the exporter can do it. Inputs
    are named after the parameters of `forward`. Raises ConfigError if the network does not run on the example, and
    ConversionError.
    """
    model = eager.unwrap(model)
    call, notes = prepare_call(model, example, named)
    exported, reason = _export_dynamic(model, call, config)
    exported = exported or _export_verified(model, call, config)
    return dataclasses.replace(exported, fixed_batch_reason=reason, notes=notes)


def _export_dynamic(model: nn.Module, call: Call, config: ExportConfig) -> tuple[Exported | None, str]:
    """Export with a dynamic batch; None and the reason if that is not possible."""
    batch = call.batch
    if not batch:
        return None, _("its inputs have no first dimension in common") if batch is None else _(
            "the example has no samples"
        )
    if reason := why_call_fails(model, call.resized(batch + 3)):
        return None, reason
    try:
        # the exporter would treat a batch of one as a constant
        exported = _export_verified(model, call if batch > 1 else call.resized(2), config, dynamic=True)
    except ConversionError as error:
        return None, str(error)
    return (exported, "") if _has_dynamic_batch(exported.model) else (None, _CONSTANT_BATCH)


def _export_verified(
    model: nn.Module,
    call: Call,
    config: ExportConfig,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    dynamic: bool = False,
) -> Exported:
    """Export a model in eval mode on the CPU, and restore its mode.

    Verifies that the result passes `onnx.checker` with full shape inference, and matches PyTorch in ONNX Runtime; with
    a dynamic batch, at other batch sizes than the example's. Raises ConversionError.
    """
    model = model.cpu()
    with eval_mode(model), eager.reference_settings(), eager.return_only_tensors(model), _quietly():
        try:
            program = torch.onnx.export(
                model,
                call.args,
                kwargs=call.kwargs,
                input_names=input_names,
                output_names=output_names,
                dynamic_shapes=call.dynamic_shapes(model) if dynamic else None,
                opset_version=config.opset,
                external_data=False,
                optimize=config.fuse_batchnorm,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter raises many exception types
            raise explain(error) from error
        assert program is not None
        assert program.exported_program is not None
        onnx_model = program.model_proto if config.fuse_batchnorm else _optimize_without_fusion(program)
        if (bytes_ := size(onnx_model)) > ONE_FILE:
            raise ConversionError(
                _(
                    "its {gigabytes:.1f} GB of weights exceed the limit of 2 GB for one ONNX file",
                    gigabytes=bytes_ / 1e9,
                ),
                hint=_(
                    "write several files with torch.onnx.export(..., external_data=True), and convert the model on the "
                    "command line: `convert --onnx FILE`"
                ),
            )
        try:
            check(onnx_model)
        except ConversionError as error:
            raise newer_opset_error(str(error)) or error from error
        calls = [call]
        if dynamic and _has_dynamic_batch(onnx_model):
            single = call.resized(1)
            calls = [call.resized((call.batch or 0) + 3), *([] if why_call_fails(model, single) else [single])]
        return Exported(onnx_model, program.exported_program, verify(model, onnx_model, calls))


def _has_dynamic_batch(model: onnx.ModelProto) -> bool:
    """Whether the first dimension of every input is dynamic."""
    return all(info.shape and info.shape[0] is None for info in inputs(model))


def _optimize_without_fusion(program: Any) -> onnx.ModelProto:
    """Run the exporter's optimizations, except for fusing BatchNorm into the preceding node.

    Without any optimization, Shape and Squeeze nodes compute the target of a Reshape, which onnx-tf 1.10
    cannot trace; onnxscript's rule makes the target a constant again.
    """
    import onnx_ir
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules.common import materialize_reshape_shape_rule

    optimizer.fold_constants(program.model)
    rewritten = rewriter.rewrite(program.model, [materialize_reshape_shape_rule])
    optimizer.fold_constants(rewritten)
    optimizer.remove_unused_nodes(rewritten)
    model: onnx.ModelProto = onnx_ir.to_proto(rewritten)
    return model


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Redirect the exporter's prints and warnings to the log."""
    output = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(output):
        # PyTorch 2.14 warns in the code that it traces. Where warnings are errors, these would end the export.
        warnings.simplefilter("default")
        yield
    for text in (output.getvalue().strip(), *(str(warning.message) for warning in caught)):
        if text:
            log.info("exporter: %s", text)
