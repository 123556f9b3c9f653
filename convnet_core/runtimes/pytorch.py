"""PyTorch, eager, on the CPU: the reference."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convnet_core.common.files import digest
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.networks.convnet import from_weights
from convnet_core.networks.ports import INPUT, OUTPUT
from convnet_core.networks.weights import read_weights
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.doubt import Doubt
from convnet_core.runtimes.specs import PYTORCH
from convnet_core.tensors.arrays import Feeds, TensorInfo


class PyTorch(Runtime):
    """One of this project's networks, from its weights."""

    name = PYTORCH.name

    def __init__(self, path: Path, threads: int = 1) -> None:
        super().__init__()
        _, self._model = from_weights(read_weights(path), str(path))
        self._path = path
        self._threads_before = torch.get_num_threads()
        torch.set_num_threads(threads)  # one setting for the whole process
        self.inputs = (TensorInfo(INPUT, "float32", (None, 1, SIDE, SIDE)),)
        self.outputs = (TensorInfo(OUTPUT, "float32", (None, CLASSES)),)

    def _infer(self, feeds: Feeds) -> Feeds:
        with torch.inference_mode():
            return {OUTPUT: self._model(torch.from_numpy(feeds[INPUT])).numpy()}

    def features(self, feeds: Feeds) -> NDArray[np.float32]:
        """The feature maps after `layer1`, float32 [n, channels, height, width]."""
        layer1 = cast(nn.Module, self._model.layer1)
        with self._lock, torch.inference_mode():
            return np.asarray(layer1(torch.from_numpy(feeds[INPUT])).numpy())

    def learn_doubt(self) -> Doubt:
        """Whether an input shows a digit: learned the first time, which takes seconds."""
        return Doubt.cached(self._model, digest(self._path))

    def close(self) -> None:
        torch.set_num_threads(self._threads_before)
