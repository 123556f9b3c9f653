"""What Keras takes where an argument is not given; handlers name every argument, and these are not printed.

Source: the signatures of Keras 3.15.
"""

from __future__ import annotations

from typing import Any

_CONVOLUTION: dict[str, Any] = {
    "strides": 1,
    "padding": "valid",
    "dilation_rate": 1,
    "groups": 1,
    "use_bias": True,
    "activation": None,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    **{f"layers.{kind}{rank}D": _CONVOLUTION for kind in ("Conv", "DepthwiseConv") for rank in (1, 2, 3)},
    "layers.Dense": {"use_bias": True, "activation": None},
    "layers.BatchNormalization": {"momentum": 0.99, "epsilon": 1e-3},
    "layers.LayerNormalization": {"axis": -1, "epsilon": 1e-3},
    **{f"layers.MaxPooling{rank}D": {"pool_size": 2, "padding": "valid"} for rank in (1, 2, 3)},
    "Weight": {"each": False},
    "ops.pad": {"constant_values": 0.0},
    "ops.mean": {"axis": None, "keepdims": False},
    "ops.softmax": {"axis": -1},
    "ops.gelu": {"approximate": True},
}
