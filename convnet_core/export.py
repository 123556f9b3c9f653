"""PyTorch → ONNX, checked before it is kept."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from convnet_core.config import CompareConfig, ExportConfig
from convnet_core.data.split import SIDE
from convnet_core.errors import ConversionError
from convnet_core.model import INPUT, OUTPUT, eval_mode
from convnet_core.onnx_model import check

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """An ONNX model in one piece, and how far ONNX Runtime's answer was from PyTorch's."""

    model: onnx.ModelProto
    max_abs_error: float


def export(model: nn.Module, config: ExportConfig) -> Exported:
    """Export a network for digits with a dynamic batch dimension, and check it.

    The model is exported in eval mode whatever its mode, which is restored, and on the CPU. The result passes
    `onnx.checker` with full shape inference, and gives PyTorch's answer in ONNX Runtime at a batch
    size other than the example's. Raises ConversionError otherwise.
    """
    # Two images in the example: a batch of one would be taken for a constant.
    example = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    model = model.cpu()
    with eval_mode(model), _quietly():
        try:
            program = torch.onnx.export(
                model,
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=config.opset,
                external_data=False,
                optimize=config.fuse_batchnorm,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter raises many kinds
            raise ConversionError(f"PyTorch's exporter failed: {str(error).strip().splitlines()[0]}") from error
        assert program is not None
        made = program.model_proto if config.fuse_batchnorm else _folded_unfused(program)
        check(made)
        return Exported(made, _verify(model, made))


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


def _verify(model: nn.Module, made: onnx.ModelProto) -> float:
    """Run the export once against PyTorch; the largest absolute error, or ConversionError beyond tolerance."""
    import onnxruntime

    images = torch.rand(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected: Tensor = model(images)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run([OUTPUT], {INPUT: images.numpy()})
    reference, tolerance = expected.numpy(), CompareConfig()
    allowed = tolerance.atol + tolerance.rtol * np.abs(reference).max(axis=1, keepdims=True)
    if got.shape != reference.shape or not (np.abs(got - reference) <= allowed).all():
        raise ConversionError("the exported model does not give PyTorch's answer; it was not kept")
    return float(np.abs(got - reference).max())


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter's prints and warnings go to the log."""
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        yield
    for text in (printed.getvalue().strip(), *(str(warning.message) for warning in caught)):
        if text:
            log.info("exporter: %s", text)
