"""Previews of a training: the filters of the first layer, and the answers to a few test images.

A preview is taken in eval mode between two steps. It changes neither the weights, nor the running statistics of
BatchNorm, nor any random generator, so a training has the same result with it and without.
"""

from __future__ import annotations

import base64
import math

import torch
from torch import Tensor, nn

from convnet_core.data.split import CLASSES
from convnet_core.events import Preview, PreviewAnswer
from convnet_core.networks.convnet import FIRST_WEIGHT, eval_mode
from convnet_core.training.loop import Tensors
from convnet_core.training.steps import scale_pixels

_IMAGES = 12


class Previewer:
    """Takes previews on the same few test images: the first of each digit, then the first others, sorted by digit."""

    def __init__(self, test: Tensors) -> None:
        labels = test.labels.tolist()
        firsts = {labels.index(digit) for digit in range(CLASSES) if digit in labels}
        others = [index for index in range(len(labels)) if index not in firsts][: _IMAGES - len(firsts)]
        chosen = torch.tensor(sorted((*firsts, *others), key=lambda index: (labels[index], index)))
        self._images = test.images[chosen]
        self._truths = test.labels[chosen].tolist()
        self._pictures = [to_base64(image) for image in self._images.cpu()]

    @torch.no_grad()
    def take(self, model: nn.Module, epoch: float) -> Preview | None:
        """The preview of a network after `epoch` epochs; None while a weight of its filters is NaN or infinite."""
        filters = model.get_parameter(FIRST_WEIGHT).detach()[:, 0].float().cpu()
        largest = float(filters.abs().max())
        with eval_mode(model):
            probabilities, answers = model(scale_pixels(self._images)).float().softmax(1).max(1)
        shown = probabilities.tolist()
        if not all(map(math.isfinite, (largest, *shown))):
            return None
        return Preview(
            epoch=round(epoch, 4),
            kernel=filters.shape[-1],
            filters=to_base64((filters * (127 / (largest or 1.0))).round().to(torch.int8)),
            answers=tuple(
                PreviewAnswer(picture, truth, answer, round(probability, 4))
                for picture, truth, answer, probability in zip(
                    self._pictures, self._truths, answers.tolist(), shown, strict=True
                )
            ),
        )


def to_base64(values: Tensor) -> str:
    """The bytes of a tensor on the CPU, in order."""
    return base64.b64encode(values.contiguous().numpy().tobytes()).decode()
