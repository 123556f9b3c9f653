"""What a trial found, as a line of the table in docs/RELIABILITY.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What was tried, how often, what happened; `ok` is whether that is what has to happen."""

    what: str
    how_often: str
    found: str
    ok: bool
