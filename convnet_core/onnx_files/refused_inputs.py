"""Why ONNX Runtime does not run a model on its inputs, in one line: which input, what it held, how to give another."""

from __future__ import annotations

import re

import onnx

from convnet_core.errors import DataError, one_line
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.tensors.arrays import Array, Feeds
from convnet_core.tensors.model_inputs import InputSpec

_MOST = 3


def explain(error: Exception, model: onnx.ModelProto, feeds: Feeds, input_spec: InputSpec, batch: int = 0) -> DataError:
    """What to raise for an error of ONNX Runtime on `feeds`, run `batch` at a time, where they are (else 0)."""
    node, reason = _node_and_reason(one_line(error))
    sources = [name for name in _sources(model, node) if name in feeds] or list(feeds)
    whole = [name for name in sources if feeds[name].dtype.kind in "iu"]  # of two, floats are seldom at fault
    held = [_describe(name, feeds[name], input_spec) for name in (whole or sources)[:_MOST]]
    first = (whole or sources or ["NAME"])[0]
    at = f" at batch size {batch}" if batch else ""
    return DataError(
        f"ONNX Runtime cannot run the model{at} on {' and '.join(held) or 'these inputs'}: {reason}",
        hint=f"--range '{first}=LOW,HIGH' draws from other values, --input '{first}=FILE.npy' takes yours",
    )


def _node_and_reason(text: str) -> tuple[str, str]:
    """The name of the node that failed, "" where none did, and what ONNX Runtime says less its codes."""
    text = re.sub(r"^.*?\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    match = re.match(
        r"Non-zero status code returned while running (\w+) node\. Name:'(.*?)' Status Message: (.*)", text
    )
    return (match[2], f"{match[1]} {match[2]!r}: {match[3]}") if match else ("", text)


def _sources(model: onnx.ModelProto, name: str) -> list[str]:
    """The inputs of the model that a node's values come from."""
    nodes = list(walk_nodes(model.graph.node))
    makers = {output: node for node in nodes for output in node.output}
    waiting = [item for node in nodes if node.name == name and name for item in node.input]
    seen = set[str]()
    while waiting:
        tensor = waiting.pop()
        if tensor not in seen:
            seen.add(tensor)
            waiting += makers[tensor].input if tensor in makers else ()
    return [value.name for value in model.graph.input if value.name in seen]


def _describe(name: str, array: Array, input_spec: InputSpec) -> str:
    shape = f"{array.dtype} [{', '.join(map(str, array.shape))}]"
    if array.dtype.kind in "iufb" and array.size:
        shape += f", from {array.min():g} to {array.max():g}"
    source = f"{input_spec.files[name]} for" if name in input_spec.files else "what was drawn for"
    return f"{source} the input {name!r} ({shape})"
