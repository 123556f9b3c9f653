"""Small pictures with a few words below each: a row on a laptop, four to a row on a phone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import streamlit as st

_STYLE = """<style>
.pictures {display: grid; grid-template-columns: repeat(auto-fill, 6.5rem); gap: 1rem; font-size: 0.875rem;
  line-height: 1.3}
.pictures img {width: 100%; max-width: 84px; image-rendering: pixelated; display: block; margin-bottom: 0.25rem;
  border-radius: 3px}
@media (max-width: 640px) {.pictures {grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.75rem 0.5rem}}
</style>"""


class Picture(NamedTuple):
    """A picture's address, what it shows for those who do not see it, and the words below it, as HTML."""

    source: str
    alt: str
    words: str


def show_pictures(pictures: Iterable[Picture]) -> None:
    """Show pictures as a single element."""
    cards = (f'<div><img alt="{alt}" src="{source}">{words}</div>' for source, alt, words in pictures)
    st.html(f'{_STYLE}<div class="pictures" data-testid="pictures">{"".join(cards)}</div>')
