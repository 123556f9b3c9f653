"""A diagram with its folds, laid out for each choice of open folds, as plain JSON for the browser."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from convnet_core.graphs.diagram import Diagram
from convnet_core.graphs.folds import Fold, fold, open_at_first
from convnet_core.graphs.scene import Scene, Shape, arrange
from convnet_core.graphs.sizes import shown_contents

_KEPT = 8
"""Scenes to keep: opening a fold and closing it again lays out nothing."""

View = dict[str, Any]


class Drawing:
    """What a view shows. Pages keep it for all sessions, so nothing in it is of one session or language.

    `scene` gives the layout with these folds open, `view` the same as JSON.
    """

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.id = hashlib.sha1(repr(diagram).encode(), usedforsecurity=False).hexdigest()
        self.root = fold(diagram)
        self.boxes = frozenset(box.id for box in diagram.boxes)
        self.folds = {item.id: item for item in self.root.folds}
        self.open_at_first = open_at_first(self.root)
        self.scene = lru_cache(_KEPT)(self._arrange)
        self.view = lru_cache(_KEPT)(self._to_json)
        self._index = [[box.id, box.title, box.name, box.tensors] for box in self.root.boxes]

    def folds_around(self, box: str) -> list[str]:
        """The folds that a box is in."""
        return [item.id for item in self.folds.values() if any(inner.id == box for inner in item.boxes)]

    def colors_of(self, colors: Mapping[str, str], opened: frozenset[str]) -> dict[str, str]:
        """The colors of the shapes: those of boxes, and for a closed fold the first one that a box in it has."""
        shown = self.scene(opened).shown
        return {shown[box]: color for box, color in reversed(list(colors.items())) if box in shown}

    def _arrange(self, opened: frozenset[str]) -> Scene:
        return arrange(self.diagram, self.root, opened)

    def _to_json(self, opened: frozenset[str]) -> View:
        scene = self.scene(opened)
        key = hashlib.sha1(repr(sorted(opened)).encode(), usedforsecurity=False).hexdigest()
        return {
            "index": self._index,
            "shown": {box: shape for box, shape in scene.shown.items() if box != shape},
            "scene": {
                "id": f"{self.id} {key}",
                "graph": self.id,
                "width": round(scene.width, 1),
                "height": round(scene.height, 1),
                "shapes": [_shape(shape) for shape in scene.shapes],
                "labels": [
                    [
                        label.text,
                        label.tensor,
                        *_rounded(label.x - label.width / 2, label.y, label.width, label.height),
                    ]
                    for label in scene.labels
                ],
                "wires": [
                    [wire.tensor, wire.has_arrow, *_rounded(*(value for point in wire.points for value in point))]
                    for wire in scene.wires
                ],
            },
        }


def _shape(shape: Shape) -> list[Any]:
    """Place and texts of a shape; the last value is the number of boxes in a fold, 0 for a box."""
    item = shape.item
    place = [*_rounded(shape.x, shape.y, shape.width, shape.height), shape.is_open, shape.depth]
    if isinstance(item, Fold):
        lines = [f"{count} × {name}" for name, count in shown_contents(item)]
        return [item.id, *place, item.name, item.kind, lines, "fold", len(item.boxes)]
    return [item.id, *place, item.title, item.name, item.lines, item.family, 0]


def _rounded(*values: float) -> list[float]:
    return [round(value, 1) for value in values]
