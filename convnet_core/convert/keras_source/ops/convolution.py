"""Convolutions, channels last: x [n, *space, c], weights [*kernel, in, out]."""

from __future__ import annotations

from convnet_core.convert.keras_source.padding import one_or_all, pad_if_needed
from convnet_core.convert.keras_source.registry import Context, writes
from convnet_core.convert.keras_source.syntax import Call
from convnet_core.convert.native.passes.channels_last import DOMAIN
from convnet_core.errors import ConversionError
from convnet_core.language import _


@writes("Conv", domain=DOMAIN)
def conv(node: Context) -> None:
    weights, bias = node.constant(1), node.constant(2)
    if weights is None:
        raise ConversionError(_("a convolution whose weights are computed has no layer in Keras"))
    *kernel, each, filters = weights.shape
    group, space = node.attribute("group", 1), len(kernel)
    x, padding = pad_if_needed(node, kernel)
    options = {
        "strides": one_or_all(node.attribute("strides") or [1] * space),
        "padding": padding,
        "dilation_rate": one_or_all(node.attribute("dilations") or [1] * space),
        "use_bias": bias is not None,
        "activation": None,
    }
    if 1 < group == filters and each == 1 and space < 3:
        arrays = {"kernel": weights.reshape(*kernel, group, 1), "bias": bias}
        layer = node.layer(f"DepthwiseConv{space}D", one_or_all(kernel), weights=arrays, **options)
    else:
        arrays = {"kernel": weights, "bias": bias}
        layer = node.layer(f"Conv{space}D", filters, one_or_all(kernel), weights=arrays, groups=group, **options)
    node.emit(Call(layer, (x,)))
