"""Bring an ONNX model into the form that the checker, the converters and ONNX Runtime all take.

ONNX Runtime runs much that the ONNX standard forbids. What is unambiguous is put right here, and each change is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import onnx
import onnx.defs
import onnx.shape_inference

from convnet_core.common.formatting import format_count
from convnet_core.errors import ConversionError
from convnet_core.onnx_files import node_order, type_repairs
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.onnx_files.shape_inference import graphs_inside

Notes = Iterator[str]

_SEPARATE_INITIALIZERS = 4
"""The first IR version in which an initializer need not be an input too."""

_IMPLIED_DOMAINS = {"com.microsoft": 1, "ai.onnx.ml": onnx.defs.onnx_ml_opset_version()}
"""The domains that ONNX Runtime knows without an import, and the version that it takes then."""


def repair(model: onnx.ModelProto) -> list[str]:
    """Change a model in place; a line for each kind of change, for people. None for a model without faults.

    Raises ConversionError where the model cannot mean anything: it says what is wrong and where.
    """
    return [note for step in _STEPS for note in step(model)]


def _ir_version(model: onnx.ModelProto) -> Notes:
    if model.ir_version < 1:
        raise ConversionError("the model has no ir_version", hint="set `model.ir_version = 8`, or export it again")
    if model.ir_version > onnx.IR_VERSION:
        raise ConversionError(
            f"the model has IR version {model.ir_version}, and onnx {onnx.__version__} knows up to {onnx.IR_VERSION}",
            hint=f"export it for an older version of ONNX; often `model.ir_version = {onnx.IR_VERSION}` is enough",
        )
    apart = {tensor.name for tensor in model.graph.initializer} - {value.name for value in model.graph.input}
    if model.ir_version < 3 or (model.ir_version < _SEPARATE_INITIALIZERS and apart):
        why = "in which every initializer is an input, too" if apart else "which knows no opsets"
        yield f"IR version {model.ir_version}, {why}, was raised to {_SEPARATE_INITIALIZERS}"
        model.ir_version = _SEPARATE_INITIALIZERS


def _domains(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime takes both names of ONNX's own domain, onnx's checker takes the empty one alone."""
    nodes = [node for part in (model.graph, *model.functions) for node in walk_nodes(part.node)]
    imports = [item for part in (model, *model.functions) for item in part.opset_import]
    renamed = [item for item in (*nodes, *imports) if item.domain == "ai.onnx"]
    for item in renamed:
        item.domain = ""
    if renamed:
        yield "the domain ai.onnx was replaced by '', its other name"


def _opsets(model: onnx.ModelProto) -> Notes:
    newest, imports = onnx.defs.onnx_opset_version(), {item.domain: item.version for item in model.opset_import}
    used = {node.domain for graph in _graphs(model) for node in graph.node}
    if imports.get("", 0) > newest:
        raise ConversionError(
            f"the model has opset {imports['']}, and onnx {onnx.__version__} knows up to {newest}",
            hint=f"export it with opset {newest} or an older one",
        )
    if not imports or ("" in used and "" not in imports):
        raise ConversionError(
            "the model does not say which opset it is written in: it has no opset_import for ONNX's own operators",
            hint="export it again: the file may be cut off; or add `onnx.helper.make_opsetid('', 17)` to opset_import",
        )
    for domain in sorted((used & _IMPLIED_DOMAINS.keys()) - imports.keys()):
        model.opset_import.append(onnx.helper.make_opsetid(domain, _IMPLIED_DOMAINS[domain]))
        yield f"the missing opset_import of {domain} was added, version {_IMPLIED_DOMAINS[domain]}"


def _graph_names(model: onnx.ModelProto) -> Notes:
    unnamed = [graph for graph in _graphs(model) if not graph.name]
    for graph in unnamed:
        graph.name = "graph"
    if unnamed:
        yield "the graph without a name is called 'graph'" if len(unnamed) == 1 else "graphs without a name got one"


def _node_names(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime 1.32 refuses two nodes of one name in a graph. Nodes without a name are usual, and get one."""
    repeated = sum(_name_nodes(graph.node) for graph in _graphs(model))
    if repeated:
        yield f"{format_count(repeated, 'node')} had the name of another and got a new one"


def _name_nodes(nodes: Iterable[onnx.NodeProto]) -> int:
    """Give every node a name, and no two the same: `MatMul_3` where it has none. How many had another's."""
    taken: set[str] = set()
    repeated = 0
    for place, node in enumerate(nodes):
        repeated += bool(node.name) and node.name in taken
        name = node.name or f"{node.op_type}_{place}"
        while name in taken:
            name = f"{name}_{place}"
        node.name = name
        taken.add(name)
    return repeated


def _duplicates(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime takes the last of equal names."""
    for graph in _graphs(model):
        last = {tensor.name: tensor for tensor in graph.initializer if tensor.name}
        if len(last) < len(graph.initializer):
            kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in last.values()]
            yield f"of {len(graph.initializer)} initializers, those without a name or with a later one's were dropped"
            del graph.initializer[:]
            graph.initializer.extend(kept)
    outputs = {value.name: value for value in model.graph.output}
    if len(outputs) < len(model.graph.output):
        counts = Counter(value.name for value in model.graph.output)
        kept_outputs = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in outputs.values()]
        del model.graph.output[:]
        model.graph.output.extend(kept_outputs)
        yield f"{_list([name for name, count in counts.items() if count > 1])} stood among the outputs more than once"
    properties = {item.key: item.value for item in model.metadata_props}
    if len(properties) < len(model.metadata_props):
        onnx.helper.set_model_props(model, properties)
        yield "of metadata with the same key the last was kept"


def _negative_sizes(model: onnx.ModelProto) -> Notes:
    """A negative size is ONNX Runtime's and many exporters' way to say that a dimension is dynamic."""
    names = []
    for graph in _graphs(model):
        for value in (*graph.input, *graph.value_info, *graph.output):
            negative = [dim for dim in value.type.tensor_type.shape.dim if dim.dim_value < 0]
            for dim in negative:
                dim.ClearField("value")
            names += [value.name] if negative else []
    if names:
        yield f"−1 in the shape of {_list(names)} means a dynamic dimension"


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The model's graph, and all inside it."""
    yield model.graph
    yield from graphs_inside(model.graph.node)


def _list(names: Sequence[str]) -> str:
    """Up to three names."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


_STEPS: tuple[Callable[[onnx.ModelProto], Notes], ...] = (
    _ir_version,
    _domains,
    _opsets,
    _graph_names,
    _node_names,
    _duplicates,
    _negative_sizes,
    node_order.sort_nodes,
    type_repairs.repair_types,
)
