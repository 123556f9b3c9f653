"""Small pictures of samples that a report names, if samples are images. Needs only NumPy and Pillow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convnet_core.data import gallery
from convnet_core.dissect.measurements import Labels
from convnet_core.tensors.arrays import Array, Feeds

_SIDE = 84
"""Pixels; larger images lose rows and columns."""
_MOST = 12
"""The most pictures per runtime of samples that could flip, and of samples that did."""


def encode_samples(many: Feeds, labels: Mapping[str, Labels]) -> dict[str, str]:
    """Base64 PNGs of the samples that `labels` name, by position; empty if no input is an image."""
    images = next((array for array in many.values() if _are_images(array)), None)
    if images is None:
        return {}
    named = [place for item in labels.values() for place in (*item.examples[:_MOST], *item.closest[:_MOST])]
    return {str(place): _png(images[place]) for place in dict.fromkeys(named)}


def _are_images(array: Array) -> bool:
    return array.ndim == 4 and array.dtype.kind in "fu" and array.shape[1] in (1, 3) and min(array.shape[2:]) > 1


def _png(image: Array) -> str:
    """One channel is drawn dark on light, like digits in the app; three are RGB."""
    step = max(1, max(image.shape[1:]) // _SIDE)
    small = image[:, ::step, ::step].astype(np.float64)
    low, high = np.nanmin(small), np.nanmax(small)
    scaled = np.nan_to_num((small - low) / ((high - low) or 1.0))
    pixels = (255 * (1 - scaled[0] if len(scaled) == 1 else scaled.transpose(1, 2, 0))).astype(np.uint8)
    return gallery.to_base64(pixels)
