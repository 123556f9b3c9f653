"""Simulated photographs of drawings: paper under uneven light, with lines, frames, noise and a soft lens.

`sheet` returns float32 [420, 420] in [0, 1]. Lighting varies by up to a factor of three across the sheet.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 420
LIGHTS = ("even", "linear", "radial", "edge", "corner")
MARKS = ("plain", "ruled", "squared", "frame", "border")


def light(kind, rng, ratio=3.0, side=SIDE):
    """Brightness of the light at each pixel, float64 [side, side], from 1 / ratio to 1."""
    y, x = np.mgrid[:side, :side] / (side - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if kind == "even":
        field = np.ones((side, side))
    elif kind == "linear":
        field = along
    elif kind == "radial":
        middle = rng.uniform(-0.3, 0.3, 2)
        field = -np.hypot(x - middle[0], y - middle[1])
    elif kind == "edge":  # the edge of a shadow, sharp or soft
        field = 1 / (1 + np.exp(-(along - rng.uniform(-0.2, 0.2)) / rng.uniform(0.004, 0.05)))
    else:  # a lamp beside the sheet
        field = -np.hypot(x - 0.7 * np.cos(angle), y - 0.7 * np.sin(angle))
    low, high = field.min(), field.max()
    return np.ones_like(field) if high == low else 1 / ratio + (1 - 1 / ratio) * (field - low) / (high - low)


def marks(kind, rng, side=SIDE):
    """Lines and frames on the paper, as ink coverage float32 [side, side] in [0, 1]."""
    image = Image.new("L", (side, side))
    pencil = ImageDraw.Draw(image)
    step, width, tilt = int(rng.integers(45, 90)), int(rng.integers(1, 4)), rng.uniform(-0.03, 0.03)
    first, strength = int(rng.integers(0, step)), rng.uniform(0.3, 0.8)
    if kind in ("ruled", "squared"):
        for position in range(first - 2 * step, side + 2 * step, step):
            ends = position - tilt * side / 2, position + tilt * side / 2
            pencil.line([(-1, ends[0]), (side, ends[1])], fill=255, width=width)
            if kind == "squared":
                pencil.line([(ends[1], -1), (ends[0], side)], fill=255, width=width)
    elif kind == "frame":  # a box to write in
        margin, width, strength = rng.uniform(0.02, 0.09) * side, int(rng.integers(2, 9)), 0.95
        pencil.rectangle([margin, margin, side - margin, side - margin], outline=255, width=width)
    elif kind == "border":  # the table around the paper
        strength = 0.95
        sides = rng.integers(2, side // 12, 4)
        pencil.rectangle([0, 0, side, side], fill=255)
        pencil.rectangle([sides[0], sides[1], side - sides[2], side - sides[3]], fill=0)
    return np.asarray(image, np.float32) / 255 * strength


def sheet(drawing, light_kind, mark_kind, rng, noise=0.01):
    """A photograph of a drawing, uint8 [280, 280], dark on light or light on dark, centered on a sheet."""
    ink = drawing / 255 if drawing[0, 0] < 128 else 1 - drawing / 255
    ink = np.pad(ink, (SIDE - 280) // 2)
    paper, pen = rng.uniform(0.75, 0.95), rng.uniform(0.6, 0.95)
    coverage = np.maximum(ink * pen, marks(mark_kind, rng))
    bright = paper * (1 - coverage) * light(light_kind, rng)
    soft = Image.fromarray(np.rint(bright * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
    noisy = np.asarray(soft) / 255 + rng.normal(0, noise, (SIDE, SIDE))
    return (np.rint(noisy.clip(0, 1) * 255) / 255).astype(np.float32)
