"""How much a graph computes, from the shapes of its tensors."""

from __future__ import annotations

from math import prod

from convnet_core.graphs.graph import Graph, Node, Tensor


def multiply_adds(graph: Graph) -> int:
    """The multiply-adds of the convolutions and matrix products for one sample; a free size counts as 1."""
    return sum(_of_node(graph, node) for node in graph.nodes)


def _of_node(graph: Graph, node: Node) -> int:
    inputs, outputs = graph.tensors_of(node.inputs), graph.tensors_of(node.outputs)
    match node.op:
        case "Conv":
            return _size(outputs[0].shape) * _size((inputs[1].shape or ())[1:])
        case "ConvTranspose":
            return _size(inputs[0].shape) * _size((inputs[1].shape or ())[1:])
        case "Gemm" | "MatMul":
            return _size(outputs[0].shape) * _inner(node, inputs[0])
    return 0


def _inner(node: Node, left: Tensor) -> int:
    """The length of the dimension that a matrix product sums over."""
    shape = left.shape or ()
    place = 0 if node.attributes.get("transA") == "1" else -1
    return _size(shape[place:][:1])


def _size(shape: tuple[int | str | None, ...] | None) -> int:
    return prod(size for size in shape or () if isinstance(size, int))
