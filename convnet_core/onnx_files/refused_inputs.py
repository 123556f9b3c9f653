"""Explain in one line why ONNX Runtime cannot run a model on its inputs, and how to provide others."""

from __future__ import annotations

import re

import onnx

from convnet_core.common.formatting import join_words
from convnet_core.errors import DataError, one_line
from convnet_core.language import _
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.tensors.arrays import Array, Feeds
from convnet_core.tensors.model_inputs import InputSpec

_MAX_SHOWN = 3


def explain(error: Exception, model: onnx.ModelProto, feeds: Feeds, input_spec: InputSpec, batch: int = 0) -> DataError:
    """The error to raise when ONNX Runtime fails on `feeds`. `batch` is the batch size, or 0 if there is none."""
    node, reason = _node_and_reason(one_line(error))
    sources = [name for name in _sources(model, node) if name in feeds] or list(feeds)
    integers = [name for name in sources if feeds[name].dtype.kind in "iu"]  # integers are the likely cause
    descriptions = [_describe(name, feeds[name], input_spec) for name in (integers or sources)[:_MAX_SHOWN]]
    first = (integers or sources or ["NAME"])[0]
    given = join_words(descriptions) if descriptions else _("these inputs")
    message = _("ONNX Runtime cannot run the model on {inputs}: {reason}", inputs=given, reason=reason)
    if batch:
        message = _(
            "ONNX Runtime cannot run the model at batch size {batch} on {inputs}: {reason}",
            batch=batch,
            inputs=given,
            reason=reason,
        )
    return DataError(
        message,
        hint=_(
            "--range '{name}=LOW,HIGH' sets the range of random values, --input '{name}=FILE.npy' uses your own",
            name=first,
        ),
    )


def _node_and_reason(text: str) -> tuple[str, str]:
    """The failing node's name ("" if none is named), and ONNX Runtime's message without its codes."""
    text = re.sub(r"^.*?\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    match = re.match(
        r"Non-zero status code returned while running (\w+) node\. Name:'(.*?)' Status Message: (.*)", text
    )
    return (match[2], f"{match[1]} {match[2]!r}: {match[3]}") if match else ("", text)


def _sources(model: onnx.ModelProto, name: str) -> list[str]:
    """The model inputs that a node depends on."""
    nodes = list(walk_nodes(model.graph.node))
    producers = {output: node for node in nodes for output in node.output}
    pending = [item for node in nodes if node.name == name and name for item in node.input]
    visited = set[str]()
    while pending:
        tensor = pending.pop()
        if tensor not in visited:
            visited.add(tensor)
            pending += producers[tensor].input if tensor in producers else ()
    return [value.name for value in model.graph.input if value.name in visited]


def _describe(name: str, array: Array, input_spec: InputSpec) -> str:
    shape = f"{array.dtype} [{', '.join(map(str, array.shape))}]"
    if array.dtype.kind in "iufb" and array.size:
        shape = _("{shape}, from {low:g} to {high:g}", shape=shape, low=array.min(), high=array.max())
    if name in input_spec.files:
        return _("{file} for the input {name!r} ({shape})", file=input_spec.files[name], name=name, shape=shape)
    return _("random values for the input {name!r} ({shape})", name=name, shape=shape)
