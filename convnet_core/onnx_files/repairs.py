"""Repair an ONNX model so that the checker, the converters and ONNX Runtime all accept it.

ONNX Runtime runs many models that violate the ONNX standard. Unambiguous errors are fixed here, and each fix is
reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import onnx
import onnx.defs
import onnx.shape_inference

from convnet_core.common.formatting import first_words
from convnet_core.errors import ConversionError
from convnet_core.language import _, plural
from convnet_core.onnx_files import node_order, type_repairs
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.onnx_files.shape_inference import graphs_inside

Notes = Iterator[str]

_SEPARATE_INITIALIZERS = 4
"""The first IR version where an initializer need not also be an input."""

_IMPLIED_DOMAINS = {"com.microsoft": 1, "ai.onnx.ml": onnx.defs.onnx_ml_opset_version()}
"""Domains that ONNX Runtime accepts without an import, with the version that it assumes."""


def repair(model: onnx.ModelProto) -> list[str]:
    """Repair a model in index. Returns a readable line for each kind of change.

    Raises ConversionError if the model cannot be repaired.
    """
    return [note for step in _STEPS for note in step(model)]


def _ir_version(model: onnx.ModelProto) -> Notes:
    if model.ir_version < 1:
        raise ConversionError(_("the model has no ir_version"), hint=_("set `model.ir_version = 8`, or export again"))
    if model.ir_version > onnx.IR_VERSION:
        raise ConversionError(
            _(
                "the model has IR version {version}; onnx {onnx} supports up to {newest}",
                version=model.ir_version,
                onnx=onnx.__version__,
                newest=onnx.IR_VERSION,
            ),
            hint=_(
                "export for an older ONNX version; often `model.ir_version = {newest}` is enough",
                newest=onnx.IR_VERSION,
            ),
        )
    separate = {tensor.name for tensor in model.graph.initializer} - {value.name for value in model.graph.input}
    if model.ir_version < 3 or (model.ir_version < _SEPARATE_INITIALIZERS and separate):
        versions = {"old": model.ir_version, "new": _SEPARATE_INITIALIZERS}
        yield (
            _("IR version {old}, where every initializer must also be an input, was raised to {new}", **versions)
            if separate
            else _("IR version {old}, which has no opsets, was raised to {new}", **versions)
        )
        model.ir_version = _SEPARATE_INITIALIZERS


def _domains(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime accepts both names of ONNX's domain, the checker only the empty one."""
    nodes = [node for part in (model.graph, *model.functions) for node in walk_nodes(part.node)]
    imports = [item for part in (model, *model.functions) for item in part.opset_import]
    renamed = [item for item in (*nodes, *imports) if item.domain == "ai.onnx"]
    for item in renamed:
        item.domain = ""
    if renamed:
        yield _("the domain ai.onnx was replaced by '', its other name")


def _opsets(model: onnx.ModelProto) -> Notes:
    newest, imports = onnx.defs.onnx_opset_version(), {item.domain: item.version for item in model.opset_import}
    used = {node.domain for graph in _graphs(model) for node in graph.node}
    if imports.get("", 0) > newest:
        raise ConversionError(
            _(
                "the model has opset {opset}; onnx {version} supports up to {newest}",
                opset=imports[""],
                version=onnx.__version__,
                newest=newest,
            ),
            hint=_("export with opset {newest} or older", newest=newest),
        )
    if not imports or ("" in used and "" not in imports):
        raise ConversionError(
            _("the model does not say which opset it uses: it has no opset_import for ONNX's operators"),
            hint=_(
                "export again if the file may be cut off, or add `onnx.helper.make_opsetid('', 17)` to opset_import"
            ),
        )
    for domain in sorted((used & _IMPLIED_DOMAINS.keys()) - imports.keys()):
        model.opset_import.append(onnx.helper.make_opsetid(domain, _IMPLIED_DOMAINS[domain]))
        yield _(
            "the missing opset_import of {domain} was added, version {version}",
            domain=domain,
            version=_IMPLIED_DOMAINS[domain],
        )


def _graph_names(model: onnx.ModelProto) -> Notes:
    unnamed = [graph for graph in _graphs(model) if not graph.name]
    for graph in unnamed:
        graph.name = "graph"
    if unnamed:
        yield (
            _("the graph without a name was named 'graph'")
            if len(unnamed) == 1
            else _("graphs without a name were named 'graph'")
        )


def _node_names(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime 1.32 rejects duplicate node names in a graph. Nodes without a name are common and get one."""
    repeated = sum(_name_nodes(graph.node) for graph in _graphs(model))
    if repeated:
        yield plural(
            "{count} node had a duplicate name and got a new one",
            "{count} nodes had a duplicate name and got a new one",
            repeated,
        )


def _name_nodes(nodes: Iterable[onnx.NodeProto]) -> int:
    """Give every node a unique name, such as `MatMul_3` if it has none. Returns the number of duplicates."""
    used_names: set[str] = set()
    repeated = 0
    for index, node in enumerate(nodes):
        repeated += bool(node.name) and node.name in used_names
        name = node.name or f"{node.op_type}_{index}"
        while name in used_names:
            name = f"{name}_{index}"
        node.name = name
        used_names.add(name)
    return repeated


def _duplicates(model: onnx.ModelProto) -> Notes:
    """Of duplicate initializers, outputs and metadata, keep the last, as ONNX Runtime does."""
    for graph in _graphs(model):
        last = {tensor.name: tensor for tensor in graph.initializer if tensor.name}
        if len(last) < len(graph.initializer):
            unique = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in last.values()]
            yield _(
                "of {count} initializers, unnamed ones and duplicates before the last were dropped",
                count=len(graph.initializer),
            )
            del graph.initializer[:]
            graph.initializer.extend(unique)
    outputs = {value.name: value for value in model.graph.output}
    if len(outputs) < len(model.graph.output):
        counts = Counter(value.name for value in model.graph.output)
        unique_outputs = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in outputs.values()]
        del model.graph.output[:]
        model.graph.output.extend(unique_outputs)
        repeated = _list([name for name, count in counts.items() if count > 1])
        yield _("{repeated} appeared among the outputs more than once", repeated=repeated)
    properties = {item.key: item.value for item in model.metadata_props}
    if len(properties) < len(model.metadata_props):
        onnx.helper.set_model_props(model, properties)
        yield _("for metadata with the same key, the last value was kept")


def _negative_sizes(model: onnx.ModelProto) -> Notes:
    """ONNX Runtime and many exporters use a negative size for a dynamic dimension."""
    names = []
    for graph in _graphs(model):
        for value in (*graph.input, *graph.value_info, *graph.output):
            negative = [dim for dim in value.type.tensor_type.shape.dim if dim.dim_value < 0]
            for dim in negative:
                dim.ClearField("value")
            names += [value.name] if negative else []
    if names:
        yield _("−1 in the shape of {names} means a dynamic dimension", names=_list(names))


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The model's graph and all subgraphs."""
    yield model.graph
    yield from graphs_inside(model.graph.node)


def _list(names: Sequence[str]) -> str:
    """Up to three names, and how many more there are."""
    return first_words([repr(name) for name in dict.fromkeys(names)], 3)


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
