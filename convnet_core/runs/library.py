"""The runs in a root folder: list, create, find, delete."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Literal

from convnet_core.common import disk_errors
from convnet_core.common.files import new_id
from convnet_core.common.formatting import join_words
from convnet_core.errors import RunError
from convnet_core.language import _
from convnet_core.runs.names import clean_title, given_title
from convnet_core.runs.run import Run, is_run

log = logging.getLogger(__name__)

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
        raise RunError(_("the runs in {root} cannot be read: {reason}", root=root, reason=error.strerror)) from error


def has_verdict(root: Path) -> bool:
    """Whether a run in the root has a network that reads digits and an up-to-date verdict on its conversion.

    Raises RunError if the root cannot be read.
    """
    return any(not run.is_model and run.state("compare").state == "fresh" for run in list_runs(root))


def find_run(root: Path, name: str | Path) -> Path:
    """The folder of a run: the path `name`, or `name` in the root, or the run in the root with this title.

    The path `name` if none of these is a run. Raises RunError if they cannot be read, or if more than one run has this
    title.
    """
    path = Path(name)
    for folder in (path, root / path):
        if is_run(folder):
            return folder
    titled = [run.path for run in list_runs(root) if given_title(run) == str(name)]
    if len(titled) > 1:
        raise RunError(
            _("{count} runs are called {name}", count=len(titled), name=name),
            hint=_("name a folder: {names}", names=join_words([run.name for run in titled])),
        )
    return titled[0] if titled else path


def slug(text: str) -> str:
    """Turn a text into a part of a folder's name: letters, accents and digits of any script, with hyphens between.

    At most 60 characters and 120 bytes; empty if no letter or digit is left.
    """
    normal = unicodedata.normalize("NFC", text)
    spaced = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in normal)
    words = "-".join("".join(spaced).split())[:_MAX_LABEL]
    return words.encode()[:_MAX_LABEL_BYTES].decode(errors="ignore").strip("-")


def new_run(root: Path, label: str, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
    """Create a run in the root, whose folder is named after the time and a label.

    `title` is what people call it, if not what `names` makes of the folder's name. Raises RunError if it cannot be
    created.
    """
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{slug(label) or 'run'}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = root / (stem + suffix)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(_("cannot create a run in {root}: {reason}", root=root, reason=error.strerror)) from error
        return Run.create(path, clean_title(title), kind)
    raise RunError(_("cannot find a free name for a run in {root}", root=root))


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
