"""The one place that imports TensorFlow: quiet, on one thread, and leaving the GPU to PyTorch."""

from __future__ import annotations

import contextlib
import os
import types
from typing import Any


def import_tensorflow() -> Any:
    """The module `tensorflow`, without its banners on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # has to be set before the import
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with contextlib.suppress(ImportError):
        # triton 3.8, which torch's optimizers import, ends the process with a segmentation fault where TensorFlow
        # 2.21 is there already; the other way round all is well. It takes 0.1 s and does not import torch.
        import triton  # noqa: F401
    import tensorflow as tf

    assert isinstance(tf, types.ModuleType)
    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):  # its devices are in use already, so this was done before
        tf.config.set_visible_devices([], "GPU")
        # Handing a small network's ops from thread to thread costs more than it saves:
        # 0.46 ms instead of 0.80 ms for one image on two cores.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf
