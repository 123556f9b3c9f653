"""How large boxes, folds and labels are, in pixels."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from convnet_core.graphs.diagram import Box
from convnet_core.graphs.folds import Fold

HEADER, LINE, NAME, PADDING = 24, 16, 17, 6
"""Heights of a title, a line and a name, and the space around lines."""
FRAME, SIDE = 28, 18
"""Height of the title of an open fold, and the space around its contents."""
LABEL = 15
"""Height of a label."""
_NARROWEST, _WIDEST, _FOLD = 88, 264, 176


class Size(NamedTuple):
    """Width and height."""

    width: float
    height: float


def size_of_box(box: Box) -> Size:
    """The size of a node's box."""
    text = max(
        text_width(box.title, 13.5), text_width(box.name, 11), *(text_width(line, 12) for line in (*box.lines, ""))
    )
    height = HEADER + NAME * bool(box.name) + LINE * len(box.lines) + PADDING * bool(box.name or box.lines)
    return Size(min(max(text + 20, _NARROWEST), _WIDEST), height)


def size_of_fold(fold: Fold) -> Size:
    """The size of a closed fold: its name, a line about it, and what it contains."""
    contents = max((text_width(f"{count} × {name}", 12) for name, count in shown_contents(fold)), default=0)
    text = max(text_width(fold.name, 13.5) + 16, contents, text_width(fold.kind, 12) + 80)
    return Size(min(max(text + 20, _FOLD), _WIDEST), HEADER + LINE * (1 + len(shown_contents(fold))) + PADDING)


def shown_contents(fold: Fold) -> list[tuple[str, int]]:
    """The contents that a closed fold names."""
    return fold.contents[:3]


def title_width(fold: Fold) -> float:
    """The width that the title of an open fold needs."""
    return text_width(fold.name, 13.5) + text_width(fold.kind, 12) + 120


def size_of_label(text: str) -> Size:
    """The size of a label on an edge; nothing without a text."""
    return Size(text_width(text, 11) + 8, LABEL) if text else Size(0, 0)


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a font of this size; Chinese characters are square."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return size * (wide + 0.56 * (len(text) - wide))
