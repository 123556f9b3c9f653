"""Run every artifact at every batch size, and explain failures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.common.formatting import list_words
from convnet_core.dissect.difference import ROUNDING, Answer, difference, is_float32
from convnet_core.dissect.examine import OnStep
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import BatchResult
from convnet_core.dissect.probes.base import numeric
from convnet_core.errors import one_line
from convnet_core.language import _, plural
from convnet_core.runtimes.specs import ONNX_RUNTIME
from convnet_core.tensors.arrays import Array, Feeds

_WORSE = 100.0
"""How many times its error at the best batch size an output's error must be to blame the batch size."""


def sweep(
    answers: Mapping[str, Answer], feeds: Feeds, names: frozenset[str], sizes: Sequence[int], on_step: OnStep
) -> list[BatchResult]:
    """Run everything at every size, the reference first. Too few samples are repeated."""
    results = []
    done, total = 0, len(answers) * sum(sizes)
    for size in sizes:
        batch = {key: _resize(array, size) if key in names else array for key, array in feeds.items()}
        expected: Array | None = None
        for runtime, answer in answers.items():
            on_step(_("trying batch size {size} in {runtime}", size=size, runtime=runtime), done, total)
            done += size
            try:
                got = answer(batch)
            except Exception as error:  # each runtime raises its own error types
                results.append(BatchResult(runtime, size, (), one_line(error)))
                continue
            if runtime == ONNX_RUNTIME.name:
                expected = got
            results.append(_compare(runtime, size, got, expected))
    return _mark_faults(results)


def _compare(runtime: str, size: int, got: Array, expected: Array | None) -> BatchResult:
    """Compare an output with the reference's, if there is one."""
    if expected is None or runtime == ONNX_RUNTIME.name:
        return BatchResult(runtime, size, got.shape)
    if got.shape != expected.shape:
        fault = _(
            "the output has the shape {shape}, the ONNX model's has {expected}",
            shape=list(got.shape),
            expected=list(expected.shape),
        )
        return BatchResult(runtime, size, got.shape, fault)
    error = difference(got, expected).relative if numeric(expected) else None
    return BatchResult(runtime, size, got.shape, "", error)


def _mark_faults(results: Sequence[BatchResult]) -> list[BatchResult]:
    """Mark float32 outputs with a large error at some sizes only. If the error is large at all sizes, size is not the
    cause.
    """
    least: dict[str, float] = {}
    for item in results:
        if item.error is not None and is_float32(item.runtime):
            least[item.runtime] = min(item.error, least.get(item.runtime, item.error))
    return [
        dataclasses.replace(item, fault=_("the output is off by {error:.1e} of its range", error=item.error))
        if item.error is not None and item.runtime in least and item.error > max(ROUNDING, _WORSE * least[item.runtime])
        else item
        for item in results
    ]


def _resize(array: Array, size: int) -> Array:
    return np.resize(array, (size, *array.shape[1:]))


def findings(results: Sequence[BatchResult], model: onnx.ModelProto) -> list[Finding]:
    """At most one finding: artifacts that fail at some batch sizes, with the constant that causes it, or at every
    size.
    """
    failed = sorted({item.runtime for item in results if item.fault})
    if not failed:
        return []
    bad = sorted({item.batch for item in results if item.fault})
    good = sorted({item.batch for item in results if item.runtime in failed and not item.fault})
    names, count = list_words(failed), len(failed)
    first = next(item.fault for item in results if item.fault)
    if not good:
        text = plural(
            "{names} fails at every batch size: {reason}.",
            "{names} fail at every batch size: {reason}.",
            count,
            names=names,
            reason=first,
        )
        return [Finding("fails", text, _("Compare the artifact's inputs with the model's."), "", tuple(failed))]
    summary = plural(
        "{names} fails at batch {bad}, not at {good}",
        "{names} fail at batch {bad}, not at {good}",
        count,
        names=names,
        bad=list_words(map(str, bad)),
        good=list_words(map(str, good)),
    )
    constant = _find_constant_batch(model)
    if constant is None:
        text = _(
            "{summary}; no constant in the model explains it; the first error: {reason}.", summary=summary, reason=first
        )
        return [Finding("batch-size", text, _("Try the batch sizes that you will use."), "", tuple(failed))]
    node, what = constant
    return [
        Finding(
            "frozen-batch",
            _(
                "{summary}: {op} {node!r} has a constant batch size, {what}.",
                summary=summary,
                op=node.op_type,
                node=node.name,
                what=what,
            ),
            _(
                "Export with a dynamic batch (dynamic_shapes, an example of at least two samples), and keep the batch "
                "size out of reshapes."
            ),
            node.name,
            tuple(failed),
        )
    ]


_RECURRENT = ("LSTM", "GRU", "RNN")


def _find_constant_batch(model: onnx.ModelProto) -> tuple[onnx.NodeProto, str] | None:
    """The first node with a constant batch size, and where it is, in words."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            constants[node.output[0]] = node.attribute[0].t
        if node.op_type in ("Reshape", "Expand") and len(node.input) > 1 and node.input[1] in constants:
            sizes = onnx.numpy_helper.to_array(constants[node.input[1]]).tolist()
            if sizes and sizes[0] > 0 and _is_batch(node.input[0], model):
                return node, _("the first size of {sizes}", sizes=sizes)
        state = next((name for name in node.input[5:7] if node.op_type in _RECURRENT and name in constants), None)
        if state is not None:
            sizes = list(constants[state].dims)
            return node, _("the second size of its initial state {state!r}, {sizes}", state=state, sizes=sizes)
    return None


def _is_batch(name: str, model: onnx.ModelProto) -> bool:
    """Whether a tensor's first dimension is dynamic, as far as shape inference knows."""
    for value in (*model.graph.input, *model.graph.value_info):
        if value.name == name and value.type.tensor_type.shape.dim:
            return not value.type.tensor_type.shape.dim[0].HasField("dim_value")
    return True
