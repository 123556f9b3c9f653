"""A run's test cases: drawings that the user saved with their true digit, in the folder `drawings/` of the run.

A drawing's id is a hash of its pixels: saving the same drawing again with another digit corrects it.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnet_core.common.files import write_atomic
from convnet_core.data.drawing import SIDE, prepare, prepare_file
from convnet_core.data.picture import Gray
from convnet_core.data.split import CLASSES
from convnet_core.errors import DataError, RunError
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import StageRecord

FOLDER = "drawings"

_NAME = re.compile(r"^(?P<label>[0-9])-(?P<id>[0-9a-f]{12})\.png$")


@dataclass(frozen=True)
class SavedDrawing:
    """A drawing with its true digit; `file` is its path relative to the run."""

    id: str
    label: int
    file: str


def save(run: Run, drawing: Gray, label: int) -> SavedDrawing:
    """Save a drawing, float32 [height, width] in [0, 1], with its true digit.

    Raises DataError if there is no ink or no such digit, RunError if the file cannot be written.
    """
    if label not in range(CLASSES):
        raise DataError(_("{label} is not a digit", label=label), hint=_("use a digit from 0 to 9"))
    prepare(drawing)
    picture = Image.fromarray(np.rint(drawing * 255).astype(np.uint8))
    identity = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()[:12]
    saved = SavedDrawing(identity, label, f"{FOLDER}/{label}-{identity}.png")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    path = run.path / saved.file
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise RunError(
            _("cannot write {path}: {reason}", path=path, reason=error.strerror), hint=_("free some space")
        ) from error
    for other in list_drawings(run):
        if other.id == saved.id and other != saved:
            delete(run, other)
    return saved


def list_drawings(run: Run) -> list[SavedDrawing]:
    """The saved drawings, sorted by digit. Ignores files with other names."""
    folder = run.path / FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    matches = [match for name in names if (match := _NAME.match(name))]
    return [SavedDrawing(match["id"], int(match["label"]), f"{FOLDER}/{match[0]}") for match in matches]


def delete(run: Run, drawing: SavedDrawing) -> None:
    """Delete a saved drawing; does nothing if it is already gone."""
    (run.path / drawing.file).unlink(missing_ok=True)


def picture_file(run: Run, drawing: SavedDrawing) -> Path:
    """The file of a saved drawing. Raises RunError if it is missing, or is a link that leads out of the run."""
    return run.file(drawing.file, _("remove it from the run's folder"))


def load_image(run: Run, drawing: SavedDrawing) -> Gray:
    """The prepared image of a saved drawing, float32 [28, 28] in [0, 1]. Raises what `load_images` raises."""
    return prepare_file(picture_file(run, drawing))


def load_images(run: Run, drawings: list[SavedDrawing]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Prepared images float32 [n, 1, 28, 28] in [0, 1], and labels int64 [n].

    Raises DataError for a file that is damaged or shows no digit, and RunError as `picture_file` does.
    """
    images = [load_image(run, drawing) for drawing in drawings]
    stacked = np.stack(images)[:, None] if images else np.empty((0, 1, SIDE, SIDE), np.float32)
    return stacked, np.array([drawing.label for drawing in drawings], np.int64)


def compared_exactly(record: StageRecord, drawings: list[SavedDrawing]) -> bool:
    """Whether the comparison of this record included exactly these drawings."""
    recorded = {name for name in record.inputs if name.startswith(f"{FOLDER}/")}
    return recorded == {drawing.file for drawing in drawings}
