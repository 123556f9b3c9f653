"""A fault that was found, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`kind` names the fault for programs, `node` is where it is ("" for none), `runtimes` who shows it, `text` says it
    in one sentence, and `mend` what helps.
    """

    kind: str
    text: str
    mend: str
    node: str = ""
    runtimes: tuple[str, ...] = ()
