"""The project's own converter: an ONNX graph as a TensorFlow function, operator by operator.

`read.py` makes plain nodes of the model, the `expansions/` write some of them out as others, the `passes/` put the
graph into TensorFlow's layout, `walk.py` calls the handler of each node (`ops/`, found by `registry.py`) in the node's
name scope. To add an operator, add a function to the file of its kind in `ops/`, and a test.
"""

from __future__ import annotations

from typing import Literal

import onnx

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

Layout = Literal["nchw", "nhwc"]
_FUSIONS = (fuse_gelu, fuse_group_norm, fuse_channel_shuffle)
_PASSES = (lift_constants, expand, *_FUSIONS, drop_unused, channels_last, sink_transposes, drop_unused)
_IO_PASSES = {"nchw": (), "nhwc": (channels_last_io,)}
_FINAL_PASSES = (reorder_flattened, drop_unused)


def prepare(model: onnx.ModelProto, layout: Layout = "nchw") -> Graph:
    """The graph as it is converted, after all passes; with the layout "nhwc" its image inputs and outputs are channels
    last, too. Raises ConversionError where the model is malformed.
    """
    graph = read_graph(model)
    for transform in (*_PASSES, *_IO_PASSES[layout], *_FINAL_PASSES):
        graph = transform(graph)
    return graph


def check(model: onnx.ModelProto) -> list[UnsupportedNode]:
    """Every node of a model that cannot be converted. Does not import TensorFlow."""
    return unsupported_nodes(prepare(model))


def convert(model: onnx.ModelProto, layout: Layout = "nchw") -> GraphFunction:
    """The graph as a function of tensors; its `layouts` say which inputs and outputs "nhwc" has made channels last.

    Raises UnsupportedOpError that names every node that cannot be converted.
    """
    graph = prepare(model, layout)
    found = unsupported_nodes(graph)
    if found:
        raise UnsupportedOpError(
            f"the model holds {len(found)} {'node' if len(found) == 1 else 'nodes'} that cannot be converted: "
            f"{'; '.join(map(str, found))}",
            hint="export with other operators, or add a handler to convnet_core/convert/native/ops",
            nodes=found,
        )
    return GraphFunction(graph)
