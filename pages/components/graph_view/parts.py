"""What a view shows beside its graph: the panel of a node, and the legend of colors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A part of a panel: a title, a note, rows of a name and a text, and a histogram with the texts of its ends."""

    title: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    note: str = ""
    bars: tuple[int, ...] = ()
    ends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """What the panel says of a node."""

    title: str
    name: str
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Legend:
    """A scale of colors (CSS), with texts below it, from left to right."""

    title: str
    colors: tuple[str, ...]
    ticks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)
