"""What a network in training looks like: its first filters, and its answers to twelve test digits."""

from __future__ import annotations

import base64
from functools import lru_cache

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convnet_core.common.formatting import format_percent
from convnet_core.data import gallery
from convnet_core.data.split import SIDE
from convnet_core.events import Preview, PreviewAnswer
from convnet_core.language import _, plural

_RIGHT, _WRONG = "#009E73", "#D55E00"
_WANTS_INK, _WANTS_PAPER = (230, 159, 0), (0, 114, 178)
_FILTERS_PER_ROW = 8
# The digits stand in one row above the filters where there is room, so that they are on the first screen of a laptop.
_STYLE = """<style>
.preview {container-type: inline-size; font-size: 0.875rem}
.preview strong {display: block; margin-bottom: 0.3rem; font-weight: 600}
.preview p {margin: 0; opacity: 0.8; font-size: 0.8rem}
.preview img {image-rendering: pixelated; display: block}
.preview .answers {display: grid; grid-template-columns: repeat(12, minmax(0, 3.2rem)); gap: 0.4rem 0.5rem}
.preview .answer {text-align: center; line-height: 1.05; border-bottom: 4px solid; padding-bottom: 3px}
.preview .answer img {width: 100%; border-radius: 3px}
.preview .answer b {font-size: 1.2rem}
.preview .answer small {line-height: 1; opacity: 0.8}
.preview .filters {display: grid; grid-template-columns: 12rem minmax(0, 1fr); gap: 0 1rem; align-items: center;
  margin-top: 1rem}
.preview .filters strong {grid-column: 1 / -1} .preview .filters img {width: 100%}
@container (max-width: 30rem) {.preview .answers {grid-template-columns: repeat(6, minmax(0, 3.2rem))}}
</style>"""


def show_preview(preview: Preview) -> None:
    """Draw a preview as a single element, which the browser replaces at once."""
    dark = st.context.theme.type == "dark"
    count = len(base64.b64decode(preview.filters)) // preview.kernel**2
    size = f"{preview.kernel} × {preview.kernel}"
    filters = plural("First layer: {count} filter, {size}", "First layer: {count} filters, {size}", count, size=size)
    cards = "".join(_card(answer, dark) for answer in preview.answers)
    right = _(
        "{right} of {all} test digits are read correctly",
        right=sum(answer.answer == answer.truth for answer in preview.answers),
        all=len(preview.answers),
    )
    st.html(
        f"""{_STYLE}<div class="preview" data-testid="preview">
        <strong>{right}</strong>
        <div class="answers">{cards}</div>
        <div class="filters"><strong>{filters}</strong>
        <img alt="{_("the filters")}" src="{_filter_picture(preview.filters, preview.kernel, dark)}">
        <p>{_("A filter looks for ink where it is orange, and for paper where it is blue.")}</p></div></div>"""
    )


def _card(answer: PreviewAnswer, dark: bool) -> str:
    """A digit, the answer to it, and the probability; the line below is green if it is right."""
    is_right = answer.answer == answer.truth
    color, mark = (_RIGHT, "✓") if is_right else (_WRONG, "✗")
    return (
        f'<div class="answer" style="border-color: {color}"><img alt="{_("a {digit}", digit=answer.truth)}" '
        f'src="{digit_picture(answer.image, dark)}"><b>{answer.answer}</b> <span style="color: {color}">{mark}</span>'
        f"<br><small>{format_percent(answer.probability, 0)}</small></div>"
    )


@lru_cache(256)
def digit_picture(image: str, dark: bool) -> str:
    """A digit in the page's own colors: bright ink on a dark page, dark ink on a light one."""
    pixels = np.frombuffer(base64.b64decode(image), np.uint8).reshape(SIDE, SIDE)
    return _data_uri(pixels if dark else 255 - pixels)


@lru_cache(16)
def _filter_picture(filters: str, kernel: int, dark: bool) -> str:
    """All filters side by side: orange for positive weights, blue for negative ones, the page's own color for zero."""
    weights = np.frombuffer(base64.b64decode(filters), np.int8).reshape(-1, kernel, kernel).astype(np.float32) / 127
    columns = min(_FILTERS_PER_ROW, len(weights))
    rows = -(-len(weights) // columns)
    cell, zero = kernel + 1, np.array((38, 39, 48) if dark else (240, 242, 246), np.float32)
    picture = np.zeros((rows * cell - 1, columns * cell - 1, 4), np.uint8)
    for index, weight in enumerate(weights):
        top, left = index // columns * cell, index % columns * cell
        strength = np.abs(weight)[..., None]
        color = np.where(weight[..., None] > 0, np.array(_WANTS_INK, np.float32), np.array(_WANTS_PAPER, np.float32))
        picture[top : top + kernel, left : left + kernel, :3] = zero + strength * (color - zero)
        picture[top : top + kernel, left : left + kernel, 3] = 255
    return _data_uri(picture)


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{gallery.to_base64(pixels)}"
