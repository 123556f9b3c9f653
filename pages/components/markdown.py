"""Text that people wrote, in Markdown."""

from __future__ import annotations

import re


def escape(text: str) -> str:
    """The Markdown that shows a text as it is, line by line."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text).replace("\n", "  \n")


def code(text: str) -> str:
    """The Markdown that shows a text as code in a line, whatever is in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {' '.join(text.split())} {fence}"


def without_links(text: str) -> str:
    """Markdown in which a name from a file can be neither a link nor a picture, which the browser would fetch."""
    return text.replace("](", "]\\(")
