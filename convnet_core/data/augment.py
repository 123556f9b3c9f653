"""Random distortions of whole batches, on the batch's device."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from convnet_core.config.stages import AugmentConfig


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Rotate, scale, slant and shift float images [n, 1, h, w], each by its own random amounts.

    The amounts are uniform within the config's limits; `generator` must be on the images' device.
    """
    n, _, height, _ = images.shape
    amounts = torch.rand(5, n, generator=generator, device=images.device) * 2 - 1
    angle = amounts[0] * math.radians(config.rotation)
    scale = 1 / (1 + amounts[1] * config.scaling)
    slant = torch.tan(amounts[2] * math.radians(config.shear))
    shift = amounts[3:] * (2 * config.shift / height)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    # Maps positions in the new image to positions in the old one: rotation and scale, then slant.
    matrix = torch.stack(
        [
            torch.stack([cosine, slant * cosine - sine, shift[0]], dim=1),
            torch.stack([sine, slant * sine + cosine, shift[1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def augment_array(images: NDArray[np.uint8], config: AugmentConfig, seed: int) -> NDArray[np.uint8]:
    """`augment` for arrays uint8 [n, h, w], for display."""
    generator = torch.Generator().manual_seed(seed)
    augmented = augment(torch.from_numpy(images)[:, None].float(), config, generator)
    return augmented[:, 0].round().clamp(0, 255).byte().numpy()
