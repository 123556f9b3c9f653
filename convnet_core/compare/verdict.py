"""The verdict of a comparison in words. Standard library only: pages that show it do not load NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.compare.report_file import Report


def sentence(report: Report) -> str:
    """The verdict of a report in one sentence; it only claims what was judged."""
    reference, lines = report.reference, report.runtimes
    agreeing = [line.name for line in lines if line.passed and line.judged]
    failed = [line.name for line in lines if not line.passed]
    others = [name for name in failed if name != reference]
    unjudged: dict[str, list[str]] = {}
    for line in lines:
        if line.passed and not line.judged:
            unjudged.setdefault(line.reason, []).append(line.name)
    parts = [f"{len(agreeing)} {'runtime agrees' if len(agreeing) == 1 else 'runtimes agree'}"]
    if others:
        parts.insert(0, f"{_join(others)} {'disagrees' if len(others) == 1 else 'disagree'} with {reference}")
    if reference in failed:
        parts.insert(0, f"{reference} does not repeat its own answers")
    for reason, names in unjudged.items():
        parts.append(f"{_join(names)} {'was' if len(names) == 1 else 'were'} not judged ({reason})")
    if missing := report.not_made:
        parts.append(f"{_join(missing)} {'was' if len(missing) == 1 else 'were'} not made")
    return "; ".join(parts)


def _join(names: Sequence[str]) -> str:
    """Names as a list in a sentence: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
