"""The part of `pool.py` that runs in the worker: keeps the runtimes of runs open and runs images through them.

Opening, reading and learning doubt are three lanes with one thread each, because libraries leak memory for every thread
that ever called them (TensorFlow 2.21 keeps its FunctionCallOptions forever).
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
    from convnet_core.runtimes.doubt import Doubt

_open: dict[tuple[str, str], Runtime] = {}
"""Open runtimes by the pool's key and the runtime's name."""

_doubts: dict[str, Doubt] = {}
"""What says whether an image shows a digit, by the pool's key."""


def names(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """The names of the runtimes of a run. Raises RunError."""
    from convnet_core.runtimes.registry import sources

    share_few_heaps()
    return {"names": [source.name for source in sources(Run(Path(content["run"])))]}, {}


def open_runtime(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Open a runtime for a pool and run it once; returns the `pid` of this process, or a `fault`."""
    from convnet_core.runtimes.registry import sources

    name = content["name"]
    try:
        source = {item.name: item for item in sources(Run(Path(content["run"])))}[name]
        if name == PYTORCH.name:
            _one_thread_for_torch()
        runtime = source.open()
        _warm(runtime)
    except Exception as error:  # a missing library or a damaged file must not stop the other runtimes
        return {"fault": one_line(error)}, {}
    _open[content["reader"], name] = runtime
    return {"fault": "", "pid": os.getpid()}, {}


def read(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Run each runtime on images [n, 1, 28, 28]. Sends its name first, then its logits [n, 10] or a `fault`."""
    for name in content["names"]:
        runtime = _open.get((content["reader"], name))
        if runtime is None:
            continue  # the worker was restarted
        notify({"name": name, "fault": ""}, {})
        try:
            logits = runtime.infer({runtime.inputs[0].name: arrays["images"]})[runtime.outputs[0].name]
        except Exception as error:  # each runtime raises its own error types
            notify({"name": name, "fault": one_line(error)}, {})
            _open.pop((content["reader"], name)).close()
        else:
            notify({"name": name, "fault": ""}, {"logits": logits})
    return {}, {}


def features(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """PyTorch's feature maps after `layer1` for images [n, 1, 28, 28], if PyTorch is open in this process."""
    from convnet_core.runtimes.pytorch import PyTorch

    runtime = _open.get((content["reader"], PYTORCH.name))
    if runtime is None:
        return {}, {}
    assert isinstance(runtime, PyTorch)
    return {}, {"features": runtime.features({runtime.inputs[0].name: arrays["images"]})}


def learn_doubt(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Prepare `doubt` for a pool, if PyTorch is open in this process."""
    from convnet_core.runtimes.pytorch import PyTorch

    runtime = _open.get((content["reader"], PYTORCH.name))
    if isinstance(runtime, PyTorch):
        _doubts[content["reader"]] = runtime.learn_doubt()
        if (content["reader"], PYTORCH.name) not in _open:  # closed meanwhile, by the lane that reads
            _doubts.pop(content["reader"], None)
    return {}, {}


def doubt(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """How little images [n, 1, 28, 28] look like a digit: `doubt`, float32 [n], once learned or with `learn`."""
    if content["learn"] and content["reader"] not in _doubts:
        learn_doubt(content, arrays, notify)
    known = _doubts.get(content["reader"])
    return {}, {} if known is None else {"doubt": known.scores(arrays["images"])}


def close(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Close all runtimes of a pool."""
    for key in [key for key in _open if key[0] == content["reader"]]:
        _open.pop(key).close()
    _doubts.pop(content["reader"], None)  # last: see `learn_doubt`
    return {}, {}


def settle(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Exclude the libraries' 300,000 objects from garbage collection; each collection would take 0.3 s."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return {}, {}


def _one_thread_for_torch() -> None:
    """Set torch to one thread. Set before a runtime opens, this stays when the runtime closes and restores it."""
    import torch

    torch.set_num_threads(1)


def _warm(runtime: Runtime) -> None:
    """Run one inference: the first one plans and allocates, and must not delay a user."""
    runtime.infer({info.name: np.zeros([size or 1 for size in info.shape], info.dtype) for info in runtime.inputs})
