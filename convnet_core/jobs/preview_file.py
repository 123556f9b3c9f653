"""A job's newest preview of a training, in one small file that each preview replaces."""

from __future__ import annotations

import json
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json, write_atomic
from convnet_core.errors import RunError, one_line
from convnet_core.events import Preview
from convnet_core.jobs.watcher import list_jobs
from convnet_core.runs.run import Run

_FILE = "preview.json"


def write_preview(folder: Path, preview: Preview) -> None:
    """Replace the preview in a job's folder, without waiting for the disk: a lost preview costs nothing."""
    content = preview.to_json()
    del content["kind"]
    write_atomic(folder / _FILE, json.dumps(content).encode(), durable=False)


def read_preview(folder: Path) -> Preview | None:
    """The newest preview in a job's folder; None if there is none. Raises RunError if it is damaged."""
    path = folder / _FILE
    try:
        return dataclass_from_json(Preview, read_json(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{path} is damaged: {one_line(error)}", hint="the next training replaces it") from error


def newest_preview(run: Run) -> Preview | None:
    """The preview of the newest job that trained the run's network; None if there is none. Raises RunError."""
    previews = (read_preview(job.folder) for job in list_jobs(run))
    return next((preview for preview in previews if preview), None)
