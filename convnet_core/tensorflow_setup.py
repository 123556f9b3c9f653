"""The one place that imports TensorFlow: quiet, and leaving the GPU to PyTorch."""

from __future__ import annotations

import contextlib
import os
import types
from typing import Any


def import_tensorflow() -> Any:
    """The module `tensorflow`, without its banners on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # has to be set before the import
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import tensorflow as tf

    assert isinstance(tf, types.ModuleType)
    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):  # its devices are in use already, so this was done before
        tf.config.set_visible_devices([], "GPU")
    return tf
