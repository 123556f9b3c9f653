"""The test cases of a run: drawings that somebody kept with their true digit, in the run's folder `drawings/`.

A case's id comes from its pixels: the same drawing kept twice is one case, and with another digit it is corrected.
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
from convnet_core.data.picture import Grey
from convnet_core.data.split import CLASSES
from convnet_core.errors import DataError, RunError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import StageRecord

FOLDER = "drawings"

_NAME = re.compile(r"^(?P<label>[0-9])-(?P<id>[0-9a-f]{12})\.png$")


@dataclass(frozen=True)
class Case:
    """A drawing that was kept; `file` is its path inside the run."""

    id: str
    label: int
    file: str


def keep(run: Run, drawing: Grey, label: int) -> Case:
    """Keep a drawing, float32 [height, width] in [0, 1], with its true digit.

    Raises DataError where there is no ink or no such digit, RunError where it cannot be written.
    """
    if label not in range(CLASSES):
        raise DataError(f"{label} is no digit", hint="name one from 0 to 9")
    prepare(drawing)
    picture = Image.fromarray(np.rint(drawing * 255).astype(np.uint8))
    identity = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()[:12]
    case = Case(identity, label, f"{FOLDER}/{label}-{identity}.png")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    path = run.path / case.file
    try:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}", hint="free some space") from error
    for other in cases(run):
        if other.id == case.id and other != case:
            delete(run, other)
    return case


def cases(run: Run) -> list[Case]:
    """What was kept, by digit. Files with other names are passed over."""
    folder = run.path / FOLDER
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    matches = [match for name in names if (match := _NAME.match(name))]
    return [Case(match["id"], int(match["label"]), f"{FOLDER}/{match[0]}") for match in matches]


def delete(run: Run, case: Case) -> None:
    """Remove a case; one that is gone already is no error."""
    (run.path / case.file).unlink(missing_ok=True)


def picture(run: Run, case: Case) -> Path:
    """The file of a case. Raises RunError where it is gone, or is a link to what is no part of the run."""
    return run.file(case.file, "remove it from the run's folder")


def image(run: Run, case: Case) -> Grey:
    """A case's prepared image, float32 [28, 28] in [0, 1]. Raises as `load` does."""
    return prepare_file(picture(run, case))


def load(run: Run, found: list[Case]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Prepared images float32 [n, 1, 28, 28] in [0, 1] and labels int64 [n].

    Raises DataError for a file that is damaged or no digit, RunError as `picture` does.
    """
    images = [image(run, case) for case in found]
    stacked = np.stack(images)[:, None] if images else np.empty((0, 1, SIDE, SIDE), np.float32)
    return stacked, np.array([case.label for case in found], np.int64)


def compared(record: StageRecord, found: list[Case]) -> bool:
    """Whether a comparison, by its record, included exactly these cases."""
    return {name for name in record.inputs if name.startswith(f"{FOLDER}/")} == {case.file for case in found}
