"""The only module that imports TensorFlow: quietly, with one thread, and without the GPU, which PyTorch uses."""

from __future__ import annotations

import contextlib
import os
import types
from typing import Any


def import_tensorflow() -> Any:
    """The module `tensorflow`, without its banners on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # must be set before the import
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with contextlib.suppress(ImportError):
        # Importing triton 3.8 (torch's optimizers do) after TensorFlow 2.21 crashes the process with a segmentation
        # fault; importing it first works. It takes 0.1 s and does not import torch.
        import triton  # noqa: F401
    import tensorflow as tf

    assert isinstance(tf, types.ModuleType)
    tf.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):  # the devices are in use, so an earlier call has done this
        tf.config.set_visible_devices([], "GPU")
        # With a small network, passing ops between threads costs more than it saves:
        # one image takes 0.46 ms with one thread and 0.80 ms with two (on two cores).
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf
