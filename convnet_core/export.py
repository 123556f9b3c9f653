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
from convnet_core.data.split import SIDE
from convnet_core.errors import ConversionError
from convnet_core.model import INPUT, OUTPUT, eval_mode
from convnet_core.onnx_model import check, inputs
from convnet_core.tensors import Array

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """An ONNX model, and how far ONNX Runtime's answer was from PyTorch's.

    `fixed` says why its batch is that of the example; empty where the batch is dynamic.
    """

    model: onnx.ModelProto
    max_abs_error: float
    fixed: str = ""


def export(model: nn.Module, config: ExportConfig) -> Exported:
    """Export a network for digits with a dynamic batch dimension, and check it. Raises ConversionError."""
    example = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return _checked(model, (example,), config, (INPUT,), (OUTPUT,), dynamic=True)


def export_any(model: nn.Module, example: tuple[Tensor, ...], config: ExportConfig) -> Exported:
    """Export any network that takes `example`, tensors [batch, ...], and check it.

    Where all of them have one first dimension, it is the batch, and dynamic if the exporter can keep it so. Names are
    those of `forward`. Raises ConversionError.
    """
    sizes = {item.shape[0] if item.ndim else None for item in example}
    if len(sizes) > 1 or None in sizes:
        reason = "its inputs have no first dimension in common"
        return dataclasses.replace(_checked(model, example, config), fixed=reason)
    if sizes == {1}:  # a batch of one would be taken for a constant
        example = tuple(item.expand(2, *item.shape[1:]).contiguous() for item in example)
    try:
        exported = _checked(model, example, config, dynamic=True)
    except ConversionError as error:
        exported, reason = _checked(model, example, config), str(error)
    else:
        reason = "the exporter made it a constant"
    return exported if _is_free(exported.model) else dataclasses.replace(exported, fixed=reason)


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
        made = program.model_proto if config.fuse_batchnorm else _folded_unfused(program)
        check(made)
        fed = tuple(torch.cat([item, item, item])[: len(item) + 3] for item in example) if _is_free(made) else example
        return Exported(made, _verify(model, made, fed))


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
    return max((_error(got, reference) for got, reference in zip(answers, expected, strict=True)), default=0.0)


def _error(got: Array, expected: Array) -> float:
    """The largest absolute error. Raises ConversionError beyond the tolerance of float32, which knows each sample's
    largest value.
    """
    tolerance = CompareConfig()
    largest = np.abs(expected).max(axis=tuple(range(1, expected.ndim)), keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(np.float64) - expected) if got.shape == expected.shape else np.array(np.inf)
    if not (error <= tolerance.atol + tolerance.rtol * largest.astype(np.float64)).all():
        raise ConversionError("the exported model does not give PyTorch's answer; it was not kept")
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
