"""A job's newest preview of a training, in one small file that each preview replaces."""

from __future__ import annotations

import json
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json, write_atomic
from convnet_core.errors import RunError, one_line
from convnet_core.events import Preview
from convnet_core.jobs.watcher import JobView, list_jobs
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.training.history import newest_training

_FILE, _HINT = "preview.json", N_("the next training replaces it")


def write_preview(folder: Path, preview: Preview) -> None:
    """Replace the preview in a job's folder, without waiting for the disk: a lost preview costs nothing."""
    content = preview.to_json()
    del content["kind"]
    write_atomic(folder / _FILE, json.dumps(content).encode(), durable=False)


def read_preview(folder: Path) -> Preview | None:
    """The newest preview in a job's folder; None if there is none.

    Raises RunError if it is damaged, or a link that leads out of the run.
    """
    if not (folder / _FILE).is_file():
        return None
    path = Run(folder.parent.parent).file(f"jobs/{folder.name}/{_FILE}", _(_HINT))
    try:
        return dataclass_from_json(Preview, read_json(path))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(_("{path} is damaged: {reason}", path=path, reason=one_line(error)), hint=_(_HINT)) from error


def newest_preview(run: Run) -> Preview | None:
    """The last preview of the run's newest training that left a result or a checkpoint; None if there is none.

    A later training that failed has left neither, so its preview would stand beside another network's figures. Raises
    RunError.
    """
    record = newest_training(run)
    if record is None:
        return None
    jobs = (job for job in list_jobs(run) if _has_started(job, record.created))
    return next((preview for job in jobs if (preview := read_preview(job.folder))), None)


def _has_started(job: JobView, moment: str) -> bool:
    """Whether a job had started at a moment, written as `now` does. False for a damaged job."""
    try:
        return job.info.started <= moment
    except RunError:
        return False
