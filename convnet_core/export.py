"""PyTorch → ONNX, checked before it is kept."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from convnet_core.config import CompareConfig, ExportConfig
from convnet_core.data import SIDE
from convnet_core.errors import ConversionError
from convnet_core.model import INPUT, OUTPUT, eval_mode
from convnet_core.onnx_model import ONE_FILE, check, inputs, size
from convnet_core.tensors import Array

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """An ONNX model, and how far ONNX Runtime's answer was from PyTorch's.

    `program` is what was exported, in PyTorch's own operators. `fixed` says why its batch is that of the example; empty
    where the batch is dynamic.
    """

    model: onnx.ModelProto
    program: torch.export.ExportedProgram
    max_abs_error: float
    fixed: str = ""


def export(model: nn.Module, config: ExportConfig) -> Exported:
    """Export a network for digits with a dynamic batch dimension, and check it. Raises ConversionError."""
    example = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return _checked(model, (example,), config, (INPUT,), (OUTPUT,), dynamic=True)


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


def export_any(model: nn.Module, example: tuple[Tensor, ...], config: ExportConfig) -> Exported:
    """Export any network that takes `example`, tensors [batch, ...], and check it.

    Where all of them have one first dimension, it is the batch, and dynamic if the exporter can keep it so. Names are
    those of `forward`. Raises ConversionError.
    """
    sizes = {item.shape[0] if item.ndim else None for item in example}
    if len(sizes) > 1 or None in sizes:
        reason = "its inputs have no first dimension in common"
        return dataclasses.replace(_checked(model, example, config), fixed=reason)
    two = example
    if sizes == {1}:  # a batch of one would be taken for a constant
        two = tuple(item.expand(2, *item.shape[1:]).contiguous() for item in example)
    try:
        exported = _checked(model, two, config, dynamic=True)
    except ConversionError as error:
        reason = str(error)
    else:
        if _is_free(exported.model):
            return exported
        reason = "the exporter made it a constant"
    return dataclasses.replace(_checked(model, example, config), fixed=reason)


def _checked(
    model: nn.Module,
    example: tuple[Tensor, ...],
    config: ExportConfig,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    *,
    dynamic: bool = False,
) -> Exported:
    """The model is exported in eval mode whatever its mode, which is restored, and on the CPU. The result passes
    `onnx.checker` with full shape inference, and gives PyTorch's answer in ONNX Runtime, with a dynamic batch at a
    size other than the example's. Raises ConversionError otherwise.
    """
    model = model.cpu()
    with eval_mode(model), _quietly():
        try:
            program = torch.onnx.export(
                model,
                example,
                input_names=input_names,
                output_names=output_names,
                dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in example) if dynamic else None,
                opset_version=config.opset,
                external_data=False,
                optimize=config.fuse_batchnorm,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter raises many kinds
            raise ConversionError(f"PyTorch's exporter failed: {reason_of(error)}") from error
        assert program is not None
        assert program.exported_program is not None
        made = program.model_proto if config.fuse_batchnorm else _folded_unfused(program)
        if (bytes_ := size(made)) > ONE_FILE:
            raise ConversionError(
                f"its {bytes_ / 1e9:.1f} GB of weights are more than the 2 GB that one ONNX file may hold",
                hint="torch.onnx.export(..., external_data=True) writes several; then `convert --onnx FILE`",
            )
        check(made)
        fed = tuple(torch.cat([item, item, item])[: len(item) + 3] for item in example) if _is_free(made) else example
        return Exported(made, program.exported_program, _verify(model, made, fed))


def reason_of(error: BaseException) -> str:
    """Why the exporter failed, in one line: its own error begins with advice, and ends with the error that it met."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    met = re.compile(r"<class '|[\w.]+(Error|Exception|Violation)\b")
    found = next(filter(met.match, reversed(lines)), "") or next(filter(None, lines), "")
    return f"{type(error).__name__}: {found[:200]}"


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


def _verify(model: nn.Module, made: onnx.ModelProto, fed: tuple[Tensor, ...]) -> float:
    """Run the export once against PyTorch; the largest absolute error, or ConversionError beyond tolerance."""
    import onnxruntime

    with torch.no_grad():
        expected = [tensor.numpy() for tensor in _tensors(model(*fed))]
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [info.name for info in inputs(made)]
    answers = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, fed, strict=True)})
    outputs = [output.name for output in made.graph.output]
    return max((_error(*item) for item in zip(outputs, answers, expected, strict=True)), default=0.0)


def _error(name: str, got: Array, expected: Array) -> float:
    """The largest absolute error. Raises ConversionError beyond the tolerance of float32, which knows each sample's
    largest value; whole numbers have to be equal.
    """
    if got.shape != expected.shape:
        raise ConversionError(
            f"the output {name!r} has the shape {list(got.shape)} in ONNX, {list(expected.shape)} here"
        )
    equal = (got == expected) | ((got != got) & (expected != expected))
    if expected.dtype.kind not in "fc":
        error, allowed = (~equal).astype(np.float64), np.zeros(1)
    else:
        tolerance, finite = CompareConfig(), np.where(np.isfinite(expected), np.abs(expected), 0).astype(np.float64)
        largest = finite.max(axis=tuple(range(1, expected.ndim)), keepdims=True, initial=0)
        with np.errstate(invalid="ignore"):
            error = np.where(equal, 0.0, np.abs(got.astype(np.float64) - expected))
        allowed = tolerance.atol + tolerance.rtol * largest
    if not (error <= allowed).all():
        worst = float(np.nanmax(error)) if not np.isnan(error).all() else float("nan")
        raise ConversionError(
            f"the exported model does not give PyTorch's answer (output {name!r}, off by {worst:.1e}); it was not kept"
        )
    return float(error.max(initial=0.0))


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of an answer, in the exporter's order."""
    yield from (item for item in tree_leaves(value) if isinstance(item, Tensor))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter's prints and warnings go to the log."""
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        yield
    for text in (printed.getvalue().strip(), *(str(warning.message) for warning in caught)):
        if text:
            log.info("exporter: %s", text)
