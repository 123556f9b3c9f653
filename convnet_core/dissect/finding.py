"""A problem in one sentence, and its fix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`kind` names the problem for programs, `text` describes it in one sentence, `mend` says how to fix it, `node` is
    where it is ("" for none), and `runtimes` are the ones that show it.
    """

    kind: str
    text: str
    mend: str
    node: str = ""
    runtimes: tuple[str, ...] = ()
