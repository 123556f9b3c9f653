"""The runs under one root: list, make, find, rename, delete."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Literal

from convnet_core.errors import RunError
from convnet_core.files import new_id, write_json
from convnet_core.runs import Run

log = logging.getLogger(__name__)

_NAME = re.compile(r"^\w[\w .+-]{0,99}$")
_DELETED = ".deleted-"


def list_runs(root: Path) -> list[Run]:
    """The runs under a root, the newest first. What a cut-off deletion left is removed."""
    if not root.is_dir():
        return []
    found = []
    for path in root.iterdir():
        if path.name.startswith(_DELETED):
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith(".") and (path / "run.json").is_file():
            try:
                run = Run.open(path)
                found.append((str(run.info.get("created", "")), run.name, run))
            except RunError as error:
                log.warning("%s", error)
    return [run for *_, run in sorted(found, key=lambda item: item[:2], reverse=True)]


def find_run(root: Path, name: str | Path) -> Path:
    """Where a run of this name is: the folder itself, else the one under the root, else where it would be made."""
    given = Path(name)
    if (given / "run.json").is_file() or not (root / given / "run.json").is_file():
        return given
    return root / given


def new_run(root: Path, label: str, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
    """Make a run under the root, named by the time and a label."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9]+', '-', label).strip('-') or 'run'}"
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
    """Give a run's folder another name beside it. Raises RunError where the name will not do."""
    if not _NAME.match(name):
        raise RunError(f"{name!r} will not do as a name", hint="letters, digits, space and . _ + -, at most 100")
    target = run.path.with_name(name)
    with run.lock():
        if target.exists():
            raise RunError(f"there is a run {name} already")
        info = run.info
        if info.get("title") == run.name:
            write_json(run.path / "run.json", {**info, "title": name})
        os.rename(run.path, target)
    return Run(target)


def delete_runs(runs: list[Run]) -> None:
    """Remove runs; none of them when a job is at work on one. They disappear at once, then their files go."""
    doomed = []
    with contextlib.ExitStack() as locks:
        for run in runs:
            locks.enter_context(run.lock())
        for run in runs:
            grave = run.path.with_name(f"{_DELETED}{new_id()}")
            os.rename(run.path, grave)
            doomed.append(grave)
    for grave in doomed:
        shutil.rmtree(grave, ignore_errors=True)
