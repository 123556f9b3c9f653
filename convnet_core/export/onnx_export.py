"""PyTorch → ONNX, checked before it is kept."""

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
from convnet_core.export.exporter_errors import explain, newer_opset
from convnet_core.export.verification import runnable, verify, why_one_size
from convnet_core.networks.convnet import INPUT, OUTPUT, eval_mode
from convnet_core.onnx_files.model_file import ONE_FILE, check, inputs, size

log = logging.getLogger(__name__)

_CONSTANT = (
    "PyTorch's exporter takes it for a constant: len(x), int(x.shape[0]) or a loop over x in the network does that"
)


@dataclass(frozen=True)
class Exported:
    """An ONNX model, and how far ONNX Runtime's answer was from PyTorch's.

    `program` is what was exported, in PyTorch's own operators. `fixed` says why its batch is that of the example; empty
    where the batch is dynamic. `notes` say what of the network's answer is otherwise in ONNX.
    """

    model: onnx.ModelProto
    program: torch.export.ExportedProgram
    max_abs_error: float
    fixed: str = ""
    notes: tuple[str, ...] = ()


def export(model: nn.Module, config: ExportConfig) -> Exported:
    """Export a network for digits with a dynamic batch dimension, and check it. Raises ConversionError."""
    example = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return _checked(model, Call((example,), {}), config, (INPUT,), (OUTPUT,), dynamic=True)


def export_as_it_is(model: nn.Module, config: ExportConfig) -> onnx.ModelProto:
    """Export a network for digits in the mode that it is in, and check nothing: to show what comes of train mode.

    By PyTorch's older exporter, as the new one of PyTorch 2.14 writes a BatchNorm in train mode like one in eval mode.
    """
    file = io.BytesIO()
    with _quietly():
        torch.onnx.export(
            model,
            (torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)),),
            file,  # type: ignore[arg-type]  # the older exporter takes one
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
    """Export any network whose forward takes `example`, tensors [batch, ...], and those in `named`, and check it.

    Where all of them have one first dimension, it is the batch, and dynamic if the exporter can keep it so. Names are
    those of `forward`. Raises ConfigError where the network does not run on the example, ConversionError.
    """
    model = eager.unwrapped(model)
    call, notes = runnable(model, example, named)
    exported, reason = _any_batch(model, call, config)
    exported = exported or _checked(model, call, config)
    return dataclasses.replace(exported, fixed=reason, notes=notes)


def _any_batch(model: nn.Module, call: Call, config: ExportConfig) -> tuple[Exported | None, str]:
    """The network with a dynamic batch; None, and the reason, where it has none."""
    batch = call.batch
    if not batch:
        return None, "its inputs have no first dimension in common" if batch is None else "the example has no samples"
    if reason := why_one_size(model, call.resized(batch + 3)):
        return None, reason
    try:
        # a batch of one would be taken for a constant
        exported = _checked(model, call if batch > 1 else call.resized(2), config, dynamic=True)
    except ConversionError as error:
        return None, str(error)
    return (exported, "") if _is_free(exported.model) else (None, _CONSTANT)


def _checked(
    model: nn.Module,
    call: Call,
    config: ExportConfig,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    dynamic: bool = False,
) -> Exported:
    """The model is exported in eval mode whatever its mode, which is restored, and on the CPU. The result passes
    `onnx.checker` with full shape inference, and gives PyTorch's answer in ONNX Runtime, with a dynamic batch at sizes
    other than the example's. Raises ConversionError otherwise.
    """
    model = model.cpu()
    with eval_mode(model), eager.plain(), eager.tensors_alone(model), _quietly():
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
        except Exception as error:  # the exporter raises many kinds
            raise explain(error) from error
        assert program is not None
        assert program.exported_program is not None
        made = program.model_proto if config.fuse_batchnorm else _folded_unfused(program)
        if (bytes_ := size(made)) > ONE_FILE:
            raise ConversionError(
                f"its {bytes_ / 1e9:.1f} GB of weights are more than the 2 GB that one ONNX file may hold",
                hint="torch.onnx.export(..., external_data=True) writes several; then `convert --onnx FILE`",
            )
        try:
            check(made)
        except ConversionError as error:
            raise newer_opset(str(error)) or error from error
        calls = [call]
        if dynamic and _is_free(made):
            one = call.resized(1)
            calls = [call.resized((call.batch or 0) + 3), *([] if why_one_size(model, one) else [one])]
        return Exported(made, program.exported_program, verify(model, made, calls))


def _is_free(made: onnx.ModelProto) -> bool:
    """Whether the first dimension of every input is dynamic."""
    return all(info.shape and info.shape[0] is None for info in inputs(made))


def _folded_unfused(program: Any) -> onnx.ModelProto:
    """What the exporter's optimizer does, less the fusion of BatchNorm into what stands before it.

    Without any optimization a Reshape's target comes from Shape and Squeeze nodes, which onnx-tf 1.10
    cannot trace; onnxscript's rule makes it a constant again.
    """
    import onnx_ir
    from onnxscript import optimizer, rewriter
    from onnxscript.rewriter.rules.common import materialize_reshape_shape_rule

    optimizer.fold_constants(program.model)
    plain = rewriter.rewrite(program.model, [materialize_reshape_shape_rule])
    optimizer.fold_constants(plain)
    optimizer.remove_unused_nodes(plain)
    made: onnx.ModelProto = onnx_ir.to_proto(plain)
    return made


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter's prints and warnings go to the log."""
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        yield
    for text in (printed.getvalue().strip(), *(str(warning.message) for warning in caught)):
        if text:
            log.info("exporter: %s", text)
