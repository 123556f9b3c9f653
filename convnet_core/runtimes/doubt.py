"""Doubt whether an image shows a digit at all: a network that must say one of ten says one to a letter, too.

A small network beside the digit network reads that network's features, the logits, and the image at half its size, and
tells generated digits from marks that are none (`data/not_digits.py`). This is outlier exposure (D. Hendrycks,
M. Mazeika, T. Dietterich, "Deep anomaly detection with outlier exposure", 2019), after the training instead of in it,
so it works for any of the digit networks. The threshold is the score that generated test digits rarely exceed.
docs/PERFORMANCE.md compares it with scores that need no training.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convnet_core.common.files import cache_folder, new_id
from convnet_core.data import not_digits, strokes

VERSION = 2
"""Increase it when the same network gets another doubt, so that caches do not return an older one."""

_DIGITS, _CALM_DIGITS, _MARKS, _TEST = 10_000, 4000, 18_000, 3000
_DOUBTED = 0.02
"""The fraction of the generated test digits that are doubted; the network misreads more of them."""
_SEED = 61  # images that no data set of the app has: those use the seeds 0 and 1 by default
_WIDTH, _EPOCHS, _BATCH, _RATE = 64, 8, 200, 0.003
_SIDE = 7  # feature maps are averaged to at most this side
_ROWS = 250


class Doubt:
    """Whether a network's input shows a digit."""

    def __init__(self, network: nn.Module, weights: dict[str, Tensor]) -> None:
        self._network, self._weights = network, weights

    @classmethod
    def learn(cls, network: nn.Module) -> Doubt:
        """Learn it for a digit network in eval mode, from generated images: about half a minute on one core."""
        digits, _ = strokes.generate(_DIGITS, _SEED)
        calm, _ = strokes.generate(_CALM_DIGITS, _SEED + 1, not_digits.CALM)
        marks = not_digits.generate(_MARKS, _SEED)
        inputs = torch.cat([_features(network, _scaled(part)) for part in (digits, calm, marks)])
        truth = torch.cat([torch.zeros(_DIGITS + _CALM_DIGITS), torch.ones(_MARKS)])
        doubt = cls(network, _train(inputs, truth))
        test, _ = strokes.generate(_TEST, _SEED + 2)
        doubt._weights["limit"] = torch.tensor(np.quantile(doubt.scores(_scaled(test)), 1 - _DOUBTED))
        return doubt

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """How little images [n, 1, 28, 28] look like a digit, float32 [n]; 0 is the limit."""
        weights = self._weights
        with torch.inference_mode():
            inputs = (_features(self._network, images) - weights["mean"]) / weights["scale"]
            hidden = torch.relu(inputs @ weights["0.weight"].T + weights["0.bias"])
            scores = hidden @ weights["3.weight"].T + weights["3.bias"] - weights.get("limit", torch.tensor(0.0))
        return scores[:, 0].numpy().astype(np.float32)

    @classmethod
    def cached(cls, network: nn.Module, digest: str) -> Doubt:
        """`learn`, or what it learned before for a network whose file has this digest."""
        path = cache_folder() / "doubt" / f"v{VERSION}.{not_digits.VERSION}.{strokes.VERSION}-{digest[:32]}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(network, {name: torch.from_numpy(file[name]) for name in file.files})
        except Exception:  # missing or damaged: zipfile, zlib and NumPy raise many types
            doubt = cls.learn(network)
        with contextlib.suppress(OSError):  # then the next process learns it again
            doubt._save(path)
        return doubt

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{new_id()}.npz")
        np.savez(draft, **{name: value.numpy() for name, value in self._weights.items()})  # type: ignore[arg-type]
        os.replace(draft, path)


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images[:, None].astype(np.float32) / np.float32(255)


def _features(network: nn.Module, images: NDArray[np.float32]) -> Tensor:
    """The last feature maps, the logits and the image at half its size, float32 [n, features]."""
    blocks = [block for name, block in network.named_children() if name.startswith("layer")]
    last_layer = cast(nn.Module, network.fc)
    rows = []
    with torch.inference_mode():
        for first in range(0, len(images), _ROWS):
            maps = part = torch.from_numpy(images[first : first + _ROWS])
            for block in blocks:
                maps = block(maps)
            logits = last_layer(maps.flatten(1))
            if maps.shape[-1] > _SIDE:
                maps = nn.functional.adaptive_avg_pool2d(maps, _SIDE)
            half = nn.functional.avg_pool2d(part, 2)
            rows.append(torch.cat([maps.flatten(1), logits, half.flatten(1)], 1))
    return torch.cat(rows)


def _train(inputs: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The weights of a network with one hidden layer, with the mean and scale of its inputs."""
    mean, scale = inputs.mean(0), inputs.std(0) + 0.01
    inputs = ((inputs - mean) / scale).clone()  # a tensor of inference mode cannot be learned from
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = nn.Sequential(nn.Linear(inputs.shape[1], _WIDTH), nn.ReLU(), nn.Dropout(0.3), nn.Linear(_WIDTH, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.01)
        steps = len(inputs) // _BATCH
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_EPOCHS * steps)
        for _ in range(_EPOCHS):
            order = torch.randperm(len(inputs))
            for step in range(steps):
                rows = order[step * _BATCH : (step + 1) * _BATCH]
                loss = nn.functional.binary_cross_entropy_with_logits(model(inputs[rows])[:, 0], truth[rows])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    weights = {name: value.detach() for name, value in model.state_dict().items()}
    return {**weights, "mean": mean.clone(), "scale": scale.clone()}
