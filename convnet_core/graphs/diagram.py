"""What a graph looks like before it has a layout: boxes, the links between them, and the groups that fold."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Box:
    """A node: its operator as the title, its name, and lines of text. `id` is unique.

    `family` decides its color. `groups` are the groups that it is in, from the outermost. `tensors` are names that a
    search finds it by, and that its links have.
    """

    id: str
    title: str
    name: str = ""
    lines: tuple[str, ...] = ()
    family: str = ""
    groups: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """A tensor's way from one box to another (ids), with a label such as its shape."""

    source: str
    target: str
    tensor: str
    label: str = ""


@dataclass(frozen=True)
class Diagram:
    """A graph to draw. `kinds` are the kinds of groups, such as the classes of modules; "" if unknown."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    kinds: dict[str, str] = field(default_factory=dict)
