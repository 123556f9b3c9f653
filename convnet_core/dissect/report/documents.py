"""A dissection as HTML and as Markdown, for people without the app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convnet_core.common.files import read_json
from convnet_core.common.templates import open_template
from convnet_core.dissect.report import content, svg_graph, tables, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import ConfigError, RunError, one_line
from convnet_core.language import _
from convnet_core.runs.run import Run

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"\w[\w.+-]{0,99}")
_MOST_HIGHLIGHTED = 500
"""The most nodes to highlight on a click, with a CSS rule each: 2,000 rules make a page open in 4 s instead of 1.3."""


@dataclass(frozen=True)
class _Row:
    """A row of a table; `place` is the position of a node in the node map, for a link to this row."""

    cells: tuple[Any, ...]
    place: int | None


@dataclass(frozen=True)
class _Section:
    """A table, its name and its title."""

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[_Row, ...]


def load(run: Run, stage: str = content.STAGE) -> DissectionReport:
    """The dissection.json of the run or of a lesson. Raises RunError if it is missing or cannot be rendered."""
    path = run.file(f"{stage}/{content.FILE}")
    try:
        report = DissectionReport.from_json(read_json(path))
        _check_names(report.runtimes)
        to_html(report), to_markdown(report), content.summary(report)
        return report
    except (OSError, ValueError, LookupError, TypeError, OverflowError, ConfigError) as error:
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), run.command_for(stage)
        ) from error


def _check_names(runtimes: Sequence[str]) -> None:
    """Raises ValueError if a runtime's name is unsafe: files are named after the runtimes."""
    if not runtimes:
        raise ValueError("it has no runtimes")
    for name in runtimes:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid name for a runtime")


def to_markdown(report: DissectionReport) -> str:
    """The findings and all tables."""
    return open_template(_TEMPLATES / "report.md.j2", cell=_markdown_cell).render(_values(report))


def to_html(report: DissectionReport) -> str:
    """One page without scripts. A click on a node in either graph jumps to its row in the node map, and highlights it
    in both graphs if they are not too large.
    """
    places, op_types = _places(report), report.op_types
    arrows = ((item.name, weight_layouts.draw_arrows(item, op_types.get(item.node, ""))) for item in report.weights)
    return open_template(_TEMPLATES / "report.html.j2", cell=_cell, short=_short).render(
        _values(report),
        low=svg_graph.LOW,
        high=svg_graph.HIGH,
        scale=svg_graph.SCALE,
        graphs=svg_graph.draw_graphs(report.pictures, content.errors(report), places),
        highlighted=list(places.values()) if len(places) <= _MOST_HIGHLIGHTED else [],
        arrows=[(name, svg) for name, svg in arrows if svg],
    )


def _values(report: DissectionReport) -> dict[str, Any]:
    """What both templates show."""
    return {
        "report": report,
        "note": content.lesson_note(report),
        "headline": content.headline(report),
        "transposes": content.transposes(report),
        "sections": _sections(report),
    }


def _sections(report: DissectionReport) -> list[_Section]:
    """All tables that have rows. The first row of each node in the node map has its place."""
    places, sections = _places(report), []
    for name, table in tables.tables(report).items():
        if table:
            headings, is_map = tuple(table[0]), name == "node map"
            rows = tuple(
                _Row(
                    tuple(row[heading] for heading in headings),
                    places.get(row["node"]) if is_map and row["ONNX"] else None,
                )
                for row in table
            )
            sections.append(_Section(name, tables.title(name), tuple(map(tables.heading, headings)), rows))
    return sections


def _places(report: DissectionReport) -> dict[str, int]:
    """The position of each node in the node map."""
    return {entry.name: place for place, entry in enumerate(report.entries)}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def _markdown_cell(value: Any) -> str:
    return _cell(value).replace("|", "/").replace("\n", " ")


def _short(value: float) -> str:
    return f"{value:g}"
