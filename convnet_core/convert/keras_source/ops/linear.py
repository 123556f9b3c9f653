"""Linear layers and products of matrices."""

from __future__ import annotations

from convnet_core.convert.keras_source.registry import Context, call, writes
from convnet_core.convert.keras_source.syntax import Call, Ref
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.tensors.arrays import Array


@writes("Gemm")
def gemm(node: Context) -> None:
    weights, bias = node.constant(1), node.constant(2)
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if weights is None or alpha != 1 or beta != 1 or node.attribute("transA", 0):
        raise ConversionError(_("Gemm with computed weights, a factor, or a transposed input has no layer in Keras"))
    _dense(node, node.input(0), weights.T if node.attribute("transB", 0) else weights, bias)


@writes("MatMul")
def matmul(node: Context) -> None:
    kernel = node.constant(1)
    if kernel is not None and kernel.ndim == 2:
        _dense(node, node.input(0), kernel, None)
    else:
        node.emit(call("ops.matmul", node.x(0), node.x(1)))


def dense_with_bias(node: Context) -> bool:
    """Write a sum as a linear layer, if it adds a bias to a product that nothing else uses."""
    for one, other in ((0, 1), (1, 0)):
        product, bias = node.sole(node.input(one), "MatMul"), node.constant(other)
        kernel = node.around.graph.constants.get(product.inputs[1]) if product else None
        if product and bias is not None and kernel is not None and kernel.ndim == 2 and bias.shape == kernel.shape[1:]:
            _dense(node, product.inputs[0], kernel, bias)
            return True
    return False


def _dense(node: Context, x: str, kernel: Array, bias: Array | None) -> None:
    weights = {"kernel": kernel, "bias": bias}
    layer = node.layer("Dense", kernel.shape[1], weights=weights, use_bias=bias is not None, activation=None)
    node.emit(Call(layer, (Ref(x),)))
