"""The runs in a root folder: list, create, find, rename, delete."""

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
_MAX_NAME_BYTES = 200  # a file system allows 255, and longer names are derived from it: the run's zip and its draft
_MAX_LABEL, _MAX_LABEL_BYTES = 60, 120
_DELETED = ".deleted-"


def list_runs(root: Path) -> list[Run]:
    """The runs in a root folder, newest first. Also removes what an interrupted deletion left behind.

    Raises RunError if the root cannot be read.
    """
    runs = []
    for path in _entries(root):
        if path.name.startswith(_DELETED):
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith("."):
            try:
                if is_run(path):
                    run = Run.open(path)
                    runs.append((str(run.info.get("created", "")), run.name, run))
            except RunError as error:
                _warn_once(str(error))
    return [run for *_, run in sorted(runs, key=lambda item: item[:2], reverse=True)]


@functools.lru_cache(maxsize=100)
def _warn_once(text: str) -> None:
    """Log a warning the first time only: the app lists the runs on every rerun of every session."""
    log.warning("%s", text)


def _entries(root: Path) -> list[Path]:
    try:
        return list(root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"the runs in {root} cannot be read: {error.strerror}") from error


def has_verdict(root: Path) -> bool:
    """Whether a run in the root has a network that reads digits and an up-to-date verdict on its conversion.

    Raises RunError if the root cannot be read.
    """
    return any(not run.is_model and run.state("compare").state == "fresh" for run in list_runs(root))


def find_run(root: Path, name: str | Path) -> Path:
    """The folder of a run: the path `name` if it is a run, else `name` in the root if that is a run, else `name`.

    Raises RunError if these paths cannot be read.
    """
    path = Path(name)
    if is_run(path) or not is_run(root / path):
        return path
    return root / path


def slug(text: str) -> str:
    """Turn a text into a part of a folder's name: letters, accents and digits of any script, with hyphens between.

    At most 60 characters and 120 bytes; empty if no letter or digit is left.
    """
    normal = unicodedata.normalize("NFC", text)
    spaced = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in normal)
    words = "-".join("".join(spaced).split())[:_MAX_LABEL]
    return words.encode()[:_MAX_LABEL_BYTES].decode(errors="ignore").strip("-")


def new_run(root: Path, label: str, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
    """Create a run in the root, named after the time and a label. Raises RunError if it cannot be created."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{slug(label) or 'run'}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = root / (stem + suffix)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"cannot create a run in {root}: {error.strerror}") from error
        return Run.create(path, title, kind)
    raise RunError(f"cannot find a free name for a run in {root}")


def rename_run(run: Run, name: str) -> Run:
    """Rename a run's folder. Raises RunError if the name is invalid or taken, or the disk fails."""
    if not _NAME.fullmatch(name):
        raise RunError(
            f"{name!r} is not a valid name",
            hint="use up to 100 letters, digits, spaces and . _ + -",
        )
    if (size := len(os.fsencode(name))) > _MAX_NAME_BYTES:
        raise RunError(
            f"{name!r} is too long for a folder: {size} bytes, at most {_MAX_NAME_BYTES}", hint="use fewer characters"
        )
    target = run.path.with_name(name)
    with disk_errors.disk_errors_as_run_error(target), run.lock():
        if target.exists():
            raise RunError(f"there is already a run {name}")
        info = run.info
        os.rename(run.path, target)
        if info.get("title") == run.name:
            write_json(target / "run.json", {**info, "title": name})
    return Run(target)


def delete_runs(runs: list[Run]) -> None:
    """Delete runs, all or none. They first disappear from the list, then their files are deleted.

    Raises BusyError if a job is using one of them, RunError if the disk fails.
    """
    renamed: dict[Path, Path] = {}
    with contextlib.ExitStack() as locks:
        for run in runs:
            with disk_errors.disk_errors_as_run_error(run.path):
                locks.enter_context(run.lock())
        try:
            for run in runs:
                trash = run.path.with_name(f"{_DELETED}{new_id()}")
                with disk_errors.disk_errors_as_run_error(run.path):
                    os.rename(run.path, trash)
                renamed[trash] = run.path
        except RunError:
            for trash, path in renamed.items():
                os.rename(trash, path)
            raise
    for trash in renamed:
        shutil.rmtree(trash, ignore_errors=True)
