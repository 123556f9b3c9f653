"""What a worker does for `reader.py`: keeps the runtimes of runs open and answers with them.

Opening and reading are two lanes: one thread each, as libraries keep something for every thread that ever called them
(TensorFlow 2.21 its FunctionCallOptions, for ever).
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convnet_core.common.memory import share_few_heaps
from convnet_core.errors import one_line
from convnet_core.runs.run import Run
from convnet_core.runtimes.specs import PYTORCH
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.messages import Content, Message, Notify

if TYPE_CHECKING:
    from convnet_core.runtimes.base import Runtime

_open: dict[tuple[str, str], Runtime] = {}
"""By the reader's key and the runtime's name."""


def names(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """The names of the runtimes of a run. Raises RunError."""
    from convnet_core.runtimes.registry import sources

    share_few_heaps()
    return {"names": [source.name for source in sources(Run(Path(content["run"])))]}, {}


def open_runtime(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Open a runtime for a reader and have it answer once; gives the `pid` of this process, or a `fault`."""
    from convnet_core.runtimes.registry import sources

    name = content["name"]
    try:
        source = {item.name: item for item in sources(Run(Path(content["run"])))}[name]
        if name == PYTORCH.name:
            _one_thread_for_torch()
        runtime = source.open()
        _warm(runtime)
    except Exception as error:  # a library that is missing, a file that is damaged: the others go on
        return {"fault": one_line(error)}, {}
    _open[content["reader"], name] = runtime
    return {"fault": "", "pid": os.getpid()}, {}


def read(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Ask each runtime about the images [n, 1, 28, 28]: its name before, then its logits [n, 10] or a `fault`."""
    for name in content["names"]:
        runtime = _open.get((content["reader"], name))
        if runtime is None:
            continue  # this process is a new one
        tell({"name": name, "fault": ""}, {})
        try:
            logits = runtime.infer({runtime.inputs[0].name: arrays["images"]})[runtime.outputs[0].name]
        except Exception as error:  # each runtime has kinds of its own
            tell({"name": name, "fault": one_line(error)}, {})
            _open.pop((content["reader"], name)).close()
        else:
            tell({"name": name, "fault": ""}, {"logits": logits})
    return {}, {}


def features(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """PyTorch's feature maps after `layer1` of the images [n, 1, 28, 28], where PyTorch is open in this process."""
    from convnet_core.runtimes.pytorch import PyTorch

    runtime = _open.get((content["reader"], PYTORCH.name))
    if runtime is None:
        return {}, {}
    assert isinstance(runtime, PyTorch)
    return {}, {"features": runtime.features({runtime.inputs[0].name: arrays["images"]})}


def close(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Let go of all runtimes of a reader."""
    for key in [key for key in _open if key[0] == content["reader"]]:
        _open.pop(key).close()
    return {}, {}


def settle(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Garbage collection passes over what is there now: 300,000 objects of the libraries, 0.3 s at each collection."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return {}, {}


def _one_thread_for_torch() -> None:
    """Torch's threads belong to the process. Set before a runtime notes them, they stay 1 when it is closed."""
    import torch

    torch.set_num_threads(1)


def _warm(runtime: Runtime) -> None:
    """The first inference plans and allocates; take that before anybody waits for it."""
    runtime.infer({info.name: np.zeros([size or 1 for size in info.shape], info.dtype) for info in runtime.inputs})
