"""Results as tables for people."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from convnet_core.overview import Overview
from convnet_core.report import format_error, format_share, format_size

_MARKS = {"fresh": "[green]✓[/] fresh", "stale": "[yellow]![/] stale", "missing": "[dim]– missing[/]"}


def runtimes(report: dict[str, Any]) -> Table:
    """The table of runtimes of a report.json."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("runtime", "converter", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in ("size", "accuracy", "equal labels", "max abs error"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in report["runtimes"]:
        table.add_row(
            line["name"],
            line["converter"] or "–",
            "[green]✓ pass[/]" if line["passed"] else "[red]✗ FAIL[/]",
            format_size(line["bytes"]),
            format_share(line["accuracy"]),
            format_share(line["label_agreement"]),
            format_error(line["max_abs_error"]),
        )
    return table


def verdict(report: dict[str, Any]) -> Text:
    """The verdict in one line, and the reason for each runtime that failed."""
    if report["verdict"] == "agree":
        return Text.from_markup(f"[bold green]agree[/]: every runtime gives the answers of {report['reference']}")
    failed = [line for line in report["runtimes"] if not line["passed"]]
    reasons = "".join(f"\n  {line['name']}: {escape(line['reason'])}" for line in failed)
    return Text.from_markup(
        f"[bold red]disagree[/]: not every runtime gives the answers of {report['reference']}{reasons}"
    )


def runs(overviews: list[Overview]) -> Table:
    """The list of runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "data", "network", "accuracy", "train", "export", "convert", "compare", "verdict"):
        table.add_column(name, justify="right" if name == "accuracy" else "left", no_wrap=name != "run")
    for item in overviews:
        states = [_MARKS[state.state] for state in item.stages.values()]
        if item.resumable:
            states[0] = "[yellow]‖[/] stopped"
        if item.running:
            states[0] = f"[cyan]▸[/] {item.running}"
        table.add_row(
            escape(item.name),
            escape(item.data or "–"),
            item.architecture or "–",
            format_share(item.accuracy),
            *states,
            item.verdict or "–",
        )
    return table


def predictions(answers: list[dict[str, Any]]) -> list[Table]:
    """For each image a table: a line for each runtime, the probability of each digit in per cent."""
    tables = []
    for answer in answers:
        table = Table(
            title=escape(answer["image"]), title_justify="left", box=None, pad_edge=False, header_style="bold"
        )
        table.add_column("runtime", no_wrap=True)
        table.add_column("reads")
        for digit in range(10):
            table.add_column(f"{digit}", justify="right")
        for name, item in answer["runtimes"].items():
            table.add_row(name, f"[bold]{item['label']}[/]", *(f"{100 * p:.1f}" for p in item["probabilities"]))
        tables.append(table)
    return tables
