"""A diagram with a place for everything: boxes, folds around their contents, edges, and labels that no edge crosses.

Each level of folds is laid out by itself, so that a fold is one box to the level around it. Edges pass between boxes
only: straight down beside the boxes of a layer, and sideways only where no box and no label is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from convnet_core.graphs.diagram import Box, Diagram
from convnet_core.graphs.folds import Fold
from convnet_core.graphs.layout import Point
from convnet_core.graphs.level import Ends, Item, Level, Link
from convnet_core.graphs.sizes import FRAME, SIDE, Size, size_of_box, size_of_fold, title_width


@dataclass(frozen=True)
class Shape:
    """A box or a fold, with its left upper corner. An open fold contains the shapes of its items.

    `depth` is the number of open folds around it.
    """

    item: Item
    x: float
    y: float
    width: float
    height: float
    depth: int = 0
    is_open: bool = False


@dataclass(frozen=True)
class Label:
    """A text beside no other, on an edge of this tensor; `x` is its middle, `y` its top."""

    text: str
    tensor: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Wire:
    """A piece of a tensor's way, from point to point; straight down, or in a curve through the gap between layers."""

    tensor: str
    points: tuple[Point, ...]
    has_arrow: bool


@dataclass
class Scene:
    """Everything to draw, in pixels. `shown` is the shape that stands for each box: itself, or a closed fold."""

    width: float
    height: float
    shapes: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)


def arrange(diagram: Diagram, root: Fold, opened: Collection[str]) -> Scene:
    """Lay out a diagram with these folds open."""
    levels = _Levels(diagram, root, opened)
    level = levels.of(root)
    scene = Scene(level.width, level.height)
    levels.draw(level, 0, 0, scene)
    return scene


class _Levels:
    def __init__(self, diagram: Diagram, root: Fold, opened: Collection[str]) -> None:
        self._opened = opened
        self._way: dict[str, tuple[str, ...]] = {}  # for each box, the open folds around it and the item it is in
        self._walk(root, ("",))
        self._links: dict[str, dict[Link, None]] = defaultdict(dict)
        self._texts = {link.tensor: link.label for link in diagram.links}
        for link in diagram.links:
            for fold, piece in self._pieces(link.source, link.target, link.tensor):
                self._links[fold][piece] = None
        self._levels: dict[str, Level] = {}

    def _walk(self, fold: Fold, way: tuple[str, ...]) -> None:
        for item in fold.items:
            if isinstance(item, Box):
                self._way[item.id] = (*way, item.id)
            elif item.id in self._opened:
                self._walk(item, (*way, item.id))
            else:
                self._way.update(dict.fromkeys((box.id for box in item.boxes), (*way, item.id)))

    def _pieces(self, source: str, target: str, tensor: str) -> Iterator[tuple[str, Link]]:
        """The pieces of a link: out of open folds, across, and into open folds; each with the fold it lies in."""
        start, end = self._way[source], self._way[target]
        common = 0
        while common < min(len(start), len(end)) and start[common] == end[common]:
            common += 1
        if common == min(len(start), len(end)):  # both in one closed fold
            return
        for depth in range(len(start) - 2, common - 1, -1):
            yield start[depth], Link(start[depth + 1], tensor, None)
        yield start[common - 1], Link(start[common], tensor, end[common])
        for depth in range(common, len(end) - 1):
            yield end[depth], Link(None, tensor, end[depth + 1])

    def of(self, fold: Fold) -> Level:
        """The layout of an open fold's contents."""
        sizes: dict[str, Size] = {}
        ends: dict[str, Ends] = {}
        for item in fold.items:
            if isinstance(item, Box):
                sizes[item.id] = size_of_box(item)
            elif item.id not in self._opened:
                sizes[item.id] = size_of_fold(item)
            else:
                level = self._levels[item.id] = self.of(item)
                width = max(level.width + 2 * SIDE, title_width(item))
                sizes[item.id] = Size(width, level.height + FRAME)
                ends[item.id] = level.ends.shifted((width - level.width) / 2)
        return Level(fold, sizes, list(self._links[fold.id]), self._texts, ends)

    def draw(self, level: Level, left: float, top: float, scene: Scene, depth: int = 0) -> None:
        """Add a level's contents to a scene, with its left upper corner here."""
        for item in level.fold.items:
            x, y = level.corner(item.id)
            size = level.sizes[item.id]
            inner = self._levels.get(item.id)
            scene.shapes.append(Shape(item, left + x, top + y, *size, depth, is_open=inner is not None))
            if inner is None:
                boxes = (item,) if isinstance(item, Box) else item.boxes
                scene.shown.update(dict.fromkeys((box.id for box in boxes), item.id))
            else:
                self.draw(inner, left + x + (size.width - inner.width) / 2, top + y + FRAME, scene, depth + 1)
        for text, tensor, x, y, size in level.labels:
            scene.labels.append(Label(text, tensor, left + x, top + y, *size))
        for tensor, points, has_arrow in level.wires:
            scene.wires.append(Wire(tensor, tuple((left + x, top + y) for x, y in points), has_arrow))
