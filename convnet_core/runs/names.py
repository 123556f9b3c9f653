"""What people call a run: the title that it was given, else what it was made with and when.

The name of the folder is the run's id in addresses, commands and links. It stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from convnet_core.common import disk_errors
from convnet_core.common.files import write_json
from convnet_core.common.formatting import format_day
from convnet_core.config.stages import PRESETS
from convnet_core.errors import RunError
from convnet_core.language import _
from convnet_core.runs.run import Run

MAX_TITLE = 100
MAX_NOTES = 10_000
_FOLDER = re.compile(r"\d{8}-\d{6}-(?P<label>.+)")
_LABEL = re.compile(rf"(?P<start>{'|'.join([*PRESETS, 'own', 'fork'])})-(?P<data>.+?)(-\d\d?)?")
"""Name and label of a folder that `library.new_run` made for a training."""


def given_title(run: Run) -> str:
    """The title that the run was given; empty if it has none. Raises RunError if `run.json` cannot be read."""
    title = str(run.info.get("title") or "")
    return "" if title == run.name else title  # as earlier versions wrote it


def notes_of(run: Run) -> str:
    """The notes on a run. Raises RunError if `run.json` cannot be read."""
    return str(run.info.get("notes") or "")


def title_of(run: Run) -> str:
    """What to call the run in a report, which is read on other days too: with the full date.

    Raises RunError if `run.json` cannot be read.
    """
    return _variants(run, None)[0]


def shown_names(runs: Iterable[Run]) -> dict[str, str]:
    """What to call each run today, by folder; all are different. Raises RunError if a `run.json` cannot be read."""
    variants = {run.name: _variants(run, datetime.now()) for run in runs}
    names = {folder: texts.pop(0) for folder, texts in variants.items()}
    while True:
        counts = Counter(names.values())
        equal = [folder for folder, name in names.items() if counts[name] > 1 and variants[folder]]
        if not equal:
            return names
        names |= {folder: variants[folder].pop(0) for folder in equal}


def rename_run(run: Run, title: str) -> None:
    """Give the run a title; an empty one takes it away. Raises RunError if it is too long, or the disk fails."""
    title = clean_title(title)
    if len(title) > MAX_TITLE:
        raise RunError(
            _("a name of {count} characters is too long", count=len(title)),
            hint=_("use up to {limit}", limit=MAX_TITLE),
        )
    _write(run, title=title)


def clean_title(text: str) -> str:
    """A text in one line: no control characters, no space at its ends, one at most between words."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def write_notes(run: Run, notes: str) -> None:
    """Keep notes on the run; they make no stage out of date. Raises RunError if too long, or the disk fails."""
    if len(notes) > MAX_NOTES:
        raise RunError(
            _("notes of {count:,} characters are too long", count=len(notes)),
            hint=_("use up to {limit:,}", limit=MAX_NOTES),
        )
    _write(run, notes=notes.strip())


def _write(run: Run, **changes: Any) -> None:
    with disk_errors.disk_errors_as_run_error(run.path):
        write_json(run.path / "run.json", {**run.info, **changes})


def _variants(run: Run, now: datetime | None) -> list[str]:
    """Names for a run, from the shortest to one that no other run has."""
    title, match, made = given_title(run), _FOLDER.fullmatch(run.name), _created(run)
    if made is None:
        return [title, f"{title} ({run.name})"] if title else [run.name]
    day = _day(made, now)
    minute, second = f"{day}{made:%H:%M}", f"{day}{made:%H:%M:%S}"
    base = title or (_label(match["label"]) if match else run.name)
    own_name = [] if match and not title else [base]
    return [*own_name, f"{base} · {minute}", f"{base} · {second}", f"{base} ({run.name})"]


def _label(text: str) -> str:
    """What a run was made with, from the label in its folder's name: fast-strokes is fast · strokes."""
    match = _LABEL.fullmatch(text)
    return f"{match['start']} · {match['data']}" if match else text


def _created(run: Run) -> datetime | None:
    """When the run was created, in this machine's time; None if it is not known."""
    try:
        return datetime.fromisoformat(str(run.info.get("created"))).astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def _day(made: datetime, now: datetime | None) -> str:
    """The day, as far as it is needed to know it now; in full without `now`."""
    if now and made.date() == now.date():
        return ""
    with_year = now is None or made.year != now.year
    return f"{format_day(made, with_year=with_year)} "
