"""A dissection as HTML and as Markdown, for people without the app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from convnet_core.common.files import read_json
from convnet_core.dissect.report import content, svg_graph, tables, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.dissect.report.tables import Table
from convnet_core.errors import ConfigError, RunError, one_line
from convnet_core.runs.run import Run

_STYLE = (
    ":root{color-scheme:light dark}body{font:15px system-ui;margin:2rem}table{border-collapse:collapse}"
    "td,th{border:1px solid #8888;padding:.2rem .5rem;text-align:left;font-variant-numeric:tabular-nums}"
    ".n{white-space:nowrap}.wide{overflow-x:auto}"
    "figure{display:inline-block;margin:.5rem 1.5rem .5rem 0}img{image-rendering:pixelated}"
    ".graphs{display:flex;gap:1rem;position:sticky;top:0;background:Canvas;border-bottom:1px solid #8888}"
    ".graphs div{flex:1;max-height:60vh;overflow:auto}svg text{fill:CanvasText;font-size:13px}"
    "svg a{cursor:pointer}tr:target{background:#56b4e944}tr,h2{scroll-margin-top:62vh}"
    "@media print{.graphs{position:static}.graphs div{max-height:none}}"
)
_NAME = re.compile(r"\w[\w.+-]{0,99}")
_HIGHLIGHT = ".n%d circle{stroke:#d55e00;stroke-width:4}"
_MOST_HIGHLIGHTED = 500
"""The most nodes to highlight on a click, with a CSS rule each: 2,000 rules make a page open in 4 s instead of 1.3."""


def load(run: Run, stage: str = content.STAGE) -> DissectionReport:
    """The dissection.json of the run or of a lesson. Raises RunError if it is missing or cannot be rendered."""
    path = run.file(f"{stage}/{content.FILE}")
    try:
        report = DissectionReport.from_json(read_json(path))
        _check_names(report.runtimes)
        to_html(report), to_markdown(report), content.summary(report)
        return report
    except (OSError, ValueError, LookupError, TypeError, OverflowError, ConfigError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for(stage)) from error


def _check_names(runtimes: Sequence[str]) -> None:
    """Raises ValueError if a runtime's name is unsafe: files are named after the runtimes."""
    if len(runtimes) < 2:
        raise ValueError("it has fewer than two runtimes")
    for name in runtimes:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid name for a runtime")


def to_markdown(report: DissectionReport) -> str:
    """The findings and all tables."""
    lines = [f"# {report.title}: dissection", ""]
    lines += [f"**{note}**", ""] if (note := content.lesson_note(report)) else []
    lines += [content.headline(report) + ".", ""]
    lines += [f"- **{item.text}** {item.mend}" for item in report.findings]
    lines += [content.transposes(report) + "."]
    for title, table in tables.tables(report).items():
        if table:
            heads = list(table[0])
            lines += ["", f"## {title}", "", _row(heads), _row(["---"] * len(heads))]
            lines += [_row([_cell(row[head]) for head in heads]) for row in table]
    return "\n".join(lines) + "\n"


def to_html(report: DissectionReport) -> str:
    """One page without scripts; all names are escaped. A click on a node in either graph jumps to its row in the node
    map, and highlights it in both graphs if they are not too large.
    """
    findings = "".join(f"<li><strong>{escape(item.text)}</strong> {escape(item.mend)}</li>" for item in report.findings)
    places = {entry.name: place for place, entry in enumerate(report.entries)}
    parts = []
    for title, table in tables.tables(report).items():
        if table:
            ids = [places.get(row["node"]) if row["ONNX"] else None for row in table] if title == "Node map" else []
            parts.append(f"<h2>{escape(title)}</h2>{_html_table(table, ids)}{_figures_below(title, report)}")
    note = f"<p><strong>{escape(text)}</strong></p>" if (text := content.lesson_note(report)) else ""
    highlighted = places.values() if len(places) <= _MOST_HIGHLIGHTED else ()
    rules = "".join(f"body:has(#n{place}:target) {_HIGHLIGHT % place}" for place in highlighted)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(report.title)}: dissection</title><style>{_STYLE}{rules}</style>"
        f"<h1>{escape(report.title)}</h1>{note}<p>{escape(content.headline(report))}.</p><ul>{findings}</ul>"
        f"<p>{escape(content.transposes(report))}.</p>{_graphs(report, places)}{''.join(parts)}</html>\n"
    )


def _graphs(report: DissectionReport, places: dict[str, int]) -> str:
    """Both graphs side by side; the color of a node is the largest error of a float32 runtime there."""
    errors = content.errors(report)
    drawn = [
        f"<div><strong>{escape(title)}</strong><br>{svg}</div>"
        for title, picture in (("ONNX", report.pictures.onnx), ("TensorFlow", report.pictures.tensorflow))
        if (svg := svg_graph.render_graph(picture, errors, places, title))
    ]
    if not drawn:
        return ""
    caption = (
        "The color is the largest error of a float32 runtime, from blue (rounding) to red; gray was not compared. "
        "A click on a node jumps to its row in the node map"
        + (", and highlights it on both sides." if len(places) <= _MOST_HIGHLIGHTED else ".")
    )
    return f"<h2>Graphs</h2><p>{caption}</p><div class='graphs'>{''.join(drawn)}</div>"


def _figures_below(title: str, report: DissectionReport) -> str:
    """The figures below a table: arrows for weights, and samples that could flip or did."""
    if title == "Weights":
        op_types = report.op_types
        drawn = ((item.name, weight_layouts.draw_arrows(item, op_types.get(item.node, ""))) for item in report.weights)
        return "".join(f"<figure>{svg}<figcaption>{escape(name)}</figcaption></figure>" for name, svg in drawn if svg)
    if title == "Labels":
        return "".join(
            f"<figure><img src='data:image/png;base64,{escape(png)}' width='84' alt=''>"
            f"<figcaption>no. {escape(place)}</figcaption></figure>"
            for place, png in report.samples.items()
        )
    return ""


def _html_table(table: Table, ids: list[int | None]) -> str:
    heads = list(table[0])
    body = "".join(
        f"<tr{_id(ids[line] if ids else None)}>"
        + "".join(f"<td{_narrow(row[head])}>{escape(_cell(row[head]))}</td>" for head in heads)
        + "</tr>"
        for line, row in enumerate(table)
    )
    return (
        f"<div class='wide'><table><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{body}</table></div>"
    )


def _id(place: int | None) -> str:
    return "" if place is None else f" id='n{place}'"


def _narrow(value: Any) -> str:
    return " class='n'" if isinstance(value, float) else ""


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.1e}" if isinstance(value, float) else str(value)
