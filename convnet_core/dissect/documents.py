"""A dissection as a page and as a text, for people who have not got the app."""

from __future__ import annotations

from html import escape
from typing import Any

from convnet_core.dissect import report
from convnet_core.dissect.report import Table
from convnet_core.errors import RunError, one_line
from convnet_core.files import read_json
from convnet_core.runs import Run

_STYLE = (
    "body{font:15px system-ui;margin:2rem;color-scheme:light dark}table{border-collapse:collapse}"
    "td,th{border:1px solid #8888;padding:.2rem .5rem;text-align:left;font-variant-numeric:tabular-nums}"
)


def load(run: Run) -> dict[str, Any]:
    """The run's dissection.json. Raises RunError where it cannot be read, or where no document can be made of it."""
    path = run.path / report.STAGE / report.FILE
    try:
        content = dict(read_json(path))
        to_html(content), to_markdown(content), report.summary(content)
        return content
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for(report.STAGE)) from error


def to_markdown(content: dict[str, Any]) -> str:
    """The findings and all tables."""
    lines = [f"# {content['title']}: dissection", "", report.headline(content) + ".", ""]
    lines += [f"- **{item['text']}** {item['mend']}" for item in content["findings"]]
    lines += [report.transposes(content) + "."]
    for title, table in report.tables(content).items():
        if table:
            heads = list(table[0])
            lines += ["", f"## {title}", "", _row(heads), _row(["---"] * len(heads))]
            lines += [_row([_cell(row[head]) for head in heads]) for row in table]
    return "\n".join(lines) + "\n"


def to_html(content: dict[str, Any]) -> str:
    """One page without scripts; every name is text."""
    said = "".join(
        f"<li><strong>{escape(item['text'])}</strong> {escape(item['mend'])}</li>" for item in content["findings"]
    )
    tables = "".join(
        f"<h2>{escape(title)}</h2>{_html_table(table)}" for title, table in report.tables(content).items() if table
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(content['title'])}: dissection</title><style>{_STYLE}</style>"
        f"<h1>{escape(content['title'])}</h1><p>{escape(report.headline(content))}.</p><ul>{said}</ul>"
        f"<p>{escape(report.transposes(content))}.</p>{tables}</html>\n"
    )


def _html_table(table: Table) -> str:
    heads = list(table[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(row[head]))}</td>" for head in heads) + "</tr>" for row in table
    )
    return f"<table><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{body}</table>"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.1e}" if isinstance(value, float) else str(value)
