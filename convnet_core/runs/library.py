"""The runs under one root: list, make, find, rename, delete."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Literal

from convnet_core.common import disk_errors
from convnet_core.common.files import new_id, write_json
from convnet_core.errors import RunError
from convnet_core.runs.run import Run, is_run

log = logging.getLogger(__name__)

_NAME = re.compile(r"\w[\w .+-]{0,99}")
_MOST_BYTES = 200  # a file system takes 255, and a run's name comes back in longer ones: its zip, and a draft of that
_MOST_LABEL, _MOST_LABEL_BYTES = 60, 120
_DELETED = ".deleted-"


def list_runs(root: Path) -> list[Run]:
    """The runs under a root, the newest first. What a cut-off deletion left is removed.

    Raises RunError where the root cannot be read.
    """
    found = []
    for path in _inside(root):
        if path.name.startswith(_DELETED):
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith("."):
            try:
                if is_run(path):
                    run = Run.open(path)
                    found.append((str(run.info.get("created", "")), run.name, run))
            except RunError as error:
                _warn(str(error))
    return [run for *_, run in sorted(found, key=lambda item: item[:2], reverse=True)]


@functools.lru_cache(maxsize=100)
def _warn(text: str) -> None:
    """Once: the runs are listed with each act of each visitor."""
    log.warning("%s", text)


def _inside(root: Path) -> list[Path]:
    try:
        return list(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"the runs in {root} cannot be read: {error.strerror}") from error


def find_run(root: Path, name: str | Path) -> Path:
    """Where a run of this name is: the folder itself, else the one under the root, else where it would be made.

    Raises RunError where that cannot be looked at.
    """
    given = Path(name)
    if is_run(given) or not is_run(root / given):
        return given
    return root / given


def label_of(text: str) -> str:
    """A text as a part of a folder's name: letters, accents and digits of any script, a hyphen for whatever else stands
    between them; at most 60 characters and 120 bytes. Empty where nothing is left.
    """
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in unicodedata.normalize("NFC", text))
    words = "-".join("".join(kept).split())[:_MOST_LABEL]
    return words.encode()[:_MOST_LABEL_BYTES].decode(errors="ignore").strip("-")


def new_run(root: Path, label: str, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
    """Make a run under the root, named by the time and a label. Raises RunError where it cannot be."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{label_of(label) or 'run'}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = root / (stem + suffix)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot make a run in {root}: {error.strerror}") from error
        return Run.create(path, title, kind)
    raise RunError(f"cannot find a free name for a run in {root}")


def rename_run(run: Run, name: str) -> Run:
    """Give a run's folder another name beside it. Raises RunError where the name or the disk will not do."""
    if not _NAME.fullmatch(name):
        raise RunError(f"{name!r} will not do as a name", hint="letters, digits, space and . _ + -, at most 100")
    if (size := len(os.fsencode(name))) > _MOST_BYTES:
        raise RunError(
            f"{name!r} is too long for a folder: {size} bytes, at most {_MOST_BYTES}", hint="use fewer characters"
        )
    target = run.path.with_name(name)
    with disk_errors.disk_errors_as_run_error(target), run.lock():
        if target.exists():
            raise RunError(f"there is a run {name} already")
        info = run.info
        os.rename(run.path, target)
        if info.get("title") == run.name:
            write_json(target / "run.json", {**info, "title": name})
    return Run(target)


def delete_runs(runs: list[Run]) -> None:
    """Remove runs. They disappear at once, then their files go.

    Raises BusyError when a job is at work on one, RunError where the disk refuses; none of them is removed then.
    """
    doomed: dict[Path, Path] = {}
    with contextlib.ExitStack() as locks:
        for run in runs:
            with disk_errors.disk_errors_as_run_error(run.path):
                locks.enter_context(run.lock())
        try:
            for run in runs:
                grave = run.path.with_name(f"{_DELETED}{new_id()}")
                with disk_errors.disk_errors_as_run_error(run.path):
                    os.rename(run.path, grave)
                doomed[grave] = run.path
        except RunError:
            for grave, path in doomed.items():
                os.rename(grave, path)
            raise
    for grave in doomed:
        shutil.rmtree(grave, ignore_errors=True)
