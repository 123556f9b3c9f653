"""How the dimensions of a weight move from ONNX to TensorFlow: in words, and as arrows. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.measurements import Weight
from convnet_core.language import _

_FIRST = {
    "Conv": "OI",
    "ConvInteger": "OI",
    "QLinearConv": "OI",
    "DeformConv": "OI",
    "ConvTranspose": "IO",
}
"""Which channels come first in an ONNX kernel: output (O) or input (I)."""
_SPATIAL = {3: "W", 4: "HW", 5: "DHW"}

_WIDTH, _HEIGHT = 46, 92


def dimension_letters(op: str, rank: int) -> str:
    """A letter for each dimension of a kernel, like OIHW; empty for other weights."""
    return _FIRST[op] + _SPATIAL[rank] if op in _FIRST and rank in _SPATIAL else ""


def describe_move(weight: Weight, op: str) -> str:
    """How the dimensions of a weight of an `op` node move: OIHW [16, 1, 3, 3] → HWIO [3, 3, 1, 16] (O: 0 → 3, …)."""
    place, shape = weight.place, list(weight.shape)
    if not place.perm:
        return _("{shape}: as it is", shape=shape)
    labels = _labels(weight, op)
    moves = ", ".join(
        f"{label}: {axis} → {to}" for axis, (label, to) in enumerate(zip(labels, place.perm, strict=True))
    )
    names = dimension_letters(op, len(shape)) if not place.split else ""
    before, after = (f"{names} ", f"{''.join(_reorder(names, place.perm))} ") if names else ("", "")
    split_sizes = ""
    if place.split:
        sizes = [size for size, to in zip(labels, place.perm, strict=True) if _is_part(place, to)]
        split_sizes = _(
            ", where {sizes} flattened become {split}",
            sizes=" × ".join(sizes),
            split=" × ".join(map(str, place.split)),
        )
    return f"{before}{shape} → {after}{list(weight.there)}{split_sizes} ({moves})"


def draw_arrows(weight: Weight, op: str) -> str:
    """The same as an SVG: ONNX's dimensions on top, TensorFlow's below, an arrow for each; empty if nothing moves."""
    perm = weight.place.perm
    if not perm:
        return ""
    above = _labels(weight, op)
    below = _reorder(above, perm)
    lines = "".join(
        f'<line x1="{_middle(axis)}" y1="26" x2="{_middle(to)}" y2="62" marker-end="url(#tip)"/>'
        for axis, to in enumerate(perm)
    )
    texts = "".join(
        f'<text x="{_middle(axis)}" y="{y}">{label}</text>'
        for y, row in ((18, above), (82, below))
        for axis, label in enumerate(row)
    )
    width = _WIDTH * len(above) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" '
        'font-family="system-ui" font-size="14" text-anchor="middle" fill="#888888" stroke="none">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0L8 4L0 8z"/></marker></defs><g stroke="#0072B2" stroke-width="1.5">{lines}</g>{texts}</svg>'
    )


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape for people: n × 28 × 28 × 16."""
    return " × ".join("n" if size in (None, -1) else str(size) for size in shape) or "scalar"


def shapes_text(shapes: Sequence[Sequence[int | None] | None]) -> str:
    """The shapes of an op's outputs; "?" if one is unknown."""
    return ", ".join("?" if shape is None else shape_text(shape) for shape in shapes)


def _labels(weight: Weight, op: str) -> list[str]:
    """A label for each dimension in ONNX's order: a letter, or else its size; flattened dimensions are split."""
    place, there = weight.place, weight.there
    split_sizes = (*there[: place.axis], *place.split, *there[place.axis + 1 :]) if place.split else there
    sizes = [str(split_sizes[to]) for to in place.perm]
    names = dimension_letters(op, len(sizes)) if not place.split else ""
    return list(names) or sizes


def _reorder(labels: Sequence[str], perm: Sequence[int]) -> list[str]:
    """The labels in TensorFlow's order."""
    return [labels[list(perm).index(axis)] for axis in range(len(perm))]


def _is_part(place: TensorLocation, axis: int) -> bool:
    return axis in range(place.axis, place.axis + len(place.split))


def _middle(axis: int) -> float:
    return 4 + _WIDTH * (axis + 0.5)
