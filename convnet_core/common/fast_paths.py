"""The speedups that use private parts of PyTorch or glibc, and the switch that turns them off.

`CONVNET_PLAIN=adam,layers,malloc` (any of them) runs the plain way instead, and so does a library without the private
part; `doctor` reports both. `python -m benchmarks.fast_paths` measures what each is worth.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
from typing import Any

SWITCH = "CONVNET_PLAIN"

FAST_PATHS: dict[str, tuple[str, ...]] = {
    "adam": ("torch._foreach_add_", "torch._fused_adam_", "torch._fused_adamw_"),
    "layers": (
        "torch.native_batch_norm",
        "torch.ops.aten.native_batch_norm_backward",
        "torch.ops.mkldnn._linear_pointwise",
    ),
    "malloc": ("libc.mallopt",),
}
"""The private parts that each speedup calls: Adam's step (`training.optimizer`), batch norm and linear layers
(`networks.fast_layers`), and the settings of the memory allocator (`common.memory`)."""


def is_enabled(name: str) -> bool:
    """Whether to use a speedup: the switch does not turn it off, and the installed library has its private parts."""
    return name not in disabled_names() and not missing_parts(name)


def disabled_names() -> set[str]:
    """The names in the switch."""
    return set(filter(None, os.environ.get(SWITCH, "").split(",")))


def missing_parts(name: str) -> list[str]:
    """The private parts that the installed library lacks. Imports torch if the speedup is one of PyTorch."""
    return [part for part in FAST_PATHS[name] if not _exists(part)]


def _exists(part: str) -> bool:
    library, *attributes = part.split(".")
    value: Any
    if library == "libc":
        if sys.platform != "linux":
            return False
        value = ctypes.CDLL(None)
    else:
        try:
            value = importlib.import_module(library)
        except ImportError:
            return False
    for attribute in attributes:
        value = getattr(value, attribute, None)
    return value is not None
