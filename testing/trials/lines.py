"""A line of the table in docs/RELIABILITY.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What was tried, how often, and what happened; `ok` says whether that was expected."""

    what: str
    how_often: str
    found: str
    ok: bool
