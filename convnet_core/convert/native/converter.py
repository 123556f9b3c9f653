"""Entry points of the native converter: read a model; check its graph, or turn it into a function."""

from __future__ import annotations

from typing import Literal

import onnx

from convnet_core.common.formatting import join_clauses
from convnet_core.convert.native.expansions.expand import expand
from convnet_core.convert.native.ir import Graph
from convnet_core.convert.native.passes.channels_last import channels_last
from convnet_core.convert.native.passes.channels_last_io import channels_last_io
from convnet_core.convert.native.passes.drop_unused import drop_unused
from convnet_core.convert.native.passes.fuse_channel_shuffle import fuse_channel_shuffle
from convnet_core.convert.native.passes.fuse_gelu import fuse_gelu
from convnet_core.convert.native.passes.fuse_group_norm import fuse_group_norm
from convnet_core.convert.native.passes.lift_constants import lift_constants
from convnet_core.convert.native.passes.reorder_flattened import reorder_flattened
from convnet_core.convert.native.passes.sink_transposes import sink_transposes
from convnet_core.convert.native.reader import read_graph
from convnet_core.convert.native.registry import unsupported_nodes
from convnet_core.convert.native.tracer import GraphFunction
from convnet_core.errors import UnsupportedNode, UnsupportedOpError
from convnet_core.language import _, plural

Layout = Literal["nchw", "nhwc"]
_FUSIONS = (fuse_gelu, fuse_group_norm, fuse_channel_shuffle)
_PASSES = (*_FUSIONS, drop_unused, channels_last, sink_transposes, drop_unused)
_IO_PASSES = {"nchw": (), "nhwc": (channels_last_io,)}
_FINAL_PASSES = (reorder_flattened, drop_unused)


def read(model: onnx.ModelProto) -> Graph:
    """A model as a graph of the operators that handlers are looked up for. Does not import TensorFlow.

    Raises ConversionError if the model is malformed.
    """
    return drop_unused(expand(lift_constants(read_graph(model))))


def check(graph: Graph) -> list[UnsupportedNode]:
    """List every node of a graph that cannot be converted. Does not import TensorFlow."""
    return unsupported_nodes(graph)


def optimize(graph: Graph, layout: Layout = "nchw") -> Graph:
    """Run all passes on a graph. The layout "nhwc" also makes its image inputs and outputs channels last."""
    for transform in (*_PASSES, *_IO_PASSES[layout], *_FINAL_PASSES):
        graph = transform(graph)
    return graph


def convert(graph: Graph, layout: Layout = "nchw") -> GraphFunction:
    """Turn a graph into a function of tensors.

    Its `layouts` list the inputs and outputs that "nhwc" made channels last. Raises
    UnsupportedOpError, which names every node that cannot be converted.
    """
    unsupported = check(graph)
    if unsupported:
        raise UnsupportedOpError(
            plural(
                "the model has {count} node that cannot be converted: {nodes}",
                "the model has {count} nodes that cannot be converted: {nodes}",
                len(unsupported),
                nodes=join_clauses(map(str, unsupported)),
            ),
            hint=_("export with other operators, or add a handler to convnet_core/convert/native/ops"),
            nodes=unsupported,
        )
    return GraphFunction(optimize(graph, layout))
