"""Results as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from convnet_core.benchmark.results import Benchmark, format_figure, rows, where_and_how
from convnet_core.common.formatting import format_count, format_error, format_share, format_size
from convnet_core.compare.report_file import Report
from convnet_core.compare.verdict import sentence
from convnet_core.dissect.report import content, tables
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.graphs.graph import Graph, Tensor
from convnet_core.jobs.overview import Overview
from convnet_core.jobs.side_by_side import SideBySide

if TYPE_CHECKING:
    from convnet_core.runtimes.predict import ReadImage

_MARKS = {
    "fresh": "[green]✓[/] up to date",
    "stale": "[yellow]![/] out of date",
    "missing": "[dim]– not made[/]",
    "waiting": "[dim]… waiting[/]",
    "running": "[cyan]▸[/] running",
    "stopped": "[yellow]‖[/] stopped",
    "failed": "[red]✗[/] failed",
}


def runtimes(comparison: Report) -> Table:
    """The table of runtimes of a comparison."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("runtime", "converter", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in ("size", "accuracy", "equal labels", "max abs error"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in comparison.runtimes:
        table.add_row(
            line.name,
            line.converter or "–",
            "[red]✗ FAIL[/]" if not line.passed else "[green]✓ pass[/]" if line.judged else "[dim]not judged[/]",
            format_size(line.bytes),
            format_share(line.accuracy),
            format_share(line.label_agreement),
            format_error(line.max_abs_error),
        )
    return table


def verdict(comparison: Report) -> Text:
    """The verdict in one line, on how many samples it stands, why each failed runtime failed, and the notes."""
    failed = [f"{line.name}: {line.reason}" for line in comparison.runtimes if not line.passed]
    scope = [f"compared on {comparison.scope}"] if comparison.scope else []
    lines = "".join(f"\n  {escape(line)}" for line in (*scope, *failed, *comparison.notes))
    style = "bold green" if comparison.agree else "bold red"
    return Text.from_markup(f"[{style}]{comparison.verdict}[/]: {escape(sentence(comparison))}{lines}")


def dissection(report: DissectionReport) -> Table:
    """A row per node: what it became, and its error in each runtime as a share of the range."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("node", "ONNX", "TensorFlow", "LiteRT", "noise", *report.runtimes[1:])
    for name in headings:
        table.add_column(name, justify="left" if name in headings[:4] else "right", overflow="fold")
    for row in content.rows(report):
        cells = [row[name] for name in headings]
        table.add_row(*(escape(cell) if isinstance(cell, str) else format_error(cell) for cell in cells))
    return table


def dissection_notes(report: DissectionReport) -> list[Text]:
    """What the table does not show: transposes, folded BatchNorms, labels, the worst inputs, batch sizes."""
    lines = [note] if (note := content.lesson_note(report)) else []
    lines.append(content.transposes(report))
    for fusion in report.fusions.nodes:
        where = f"{fusion.node} in {fusion.where}"
        lines.append(f"the BatchNorm folded into {where} is off by {format_error(fusion.error)} of the weights' range")
    for name, labels in report.labels.items():
        lines.append(
            f"labels of {name}: {labels.flipped} of {labels.samples} flipped{tables.flipped_text(labels, 5)}; "
            f"{labels.could_flip} could flip{tables.could_flip_text(labels, 5)}"
        )
    if report.worst:
        differences = ", ".join(f"{item.runtime} {format_error(item.found)}" for item in report.worst)
        lines.append(f"worst difference found (not a bound): {differences} of the range")
    sizes = ", ".join(str(size) for size in dict.fromkeys(result.batch for result in report.sweep))
    failed = sum(tables.differs(result) for result in report.sweep)
    lines.append(f"batch sizes {sizes}: {len(report.sweep) - failed} of {len(report.sweep)} fine")
    return [Text(line) for line in lines]


def findings(report: DissectionReport) -> list[Text]:
    """What is wrong and how to fix it, or that nothing is wrong."""
    if not report.findings:
        return [Text.from_markup(f"[bold green]nothing wrong[/]: {escape(content.headline(report))}")]
    return [
        Text.from_markup(f"[bold red]{escape(item.kind)}[/]: {escape(item.text)}\n  {escape(item.mend)}")
        for item in report.findings
    ]


def benchmark(result: Benchmark) -> Table:
    """The table of a benchmark, with the machine below it. Figures have three digits."""
    table = Table(
        box=None, pad_edge=False, header_style="bold", caption=escape(where_and_how(result)), caption_justify="left"
    )
    figures = rows(result)
    for name in figures[0]:
        table.add_column(name, justify="left" if name == "runtime" else "right", no_wrap=name == "runtime")
    for line in figures:
        table.add_row(*(format_figure(value) for value in line.values()))
    return table


def benchmark_failures(result: Benchmark) -> list[Text]:
    """A line for each runtime that could not be measured in full."""
    return [Text(f"{speed.name}: {speed.faults}", style="red") for speed in result.runtimes if speed.faults]


def runs(overviews: list[Overview]) -> Table:
    """The list of runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    commands = ("train", "export", "convert", "compare")
    for name in ("name", "run", "data", "network", "accuracy", *commands, "verdict"):
        table.add_column(
            name, justify="right" if name == "accuracy" else "left", no_wrap=name not in ("name", "run", "verdict")
        )
    for item in overviews:
        states = [_states(item, command) for command in commands]
        if item.resumable:
            states[0] = _MARKS["stopped"]
        table.add_row(
            escape(item.title),
            escape(item.name),
            escape(item.data or "–"),
            item.architecture or "–",
            format_share(item.accuracy),
            *states,
            item.verdict_text,
        )
    return table


def side_by_side(found: SideBySide, titles: Sequence[str]) -> list[Table | str]:
    """Two runs side by side: what A and B are, then a table for each kind of figure."""
    parts: list[Table | str] = [f"{letter}: {title}" for letter, title in zip("AB", titles, strict=True)]
    for part in found.tables:
        table = Table(title=part.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        table.add_column("", overflow="fold")
        for heading in part.headings:
            for letter in "AB":
                table.add_column(f"{letter}: {heading}" if len(part.headings) > 1 else letter, overflow="fold")
        for row in part.rows:
            cells = (cell for pair in zip(row.left, row.right, strict=True) for cell in pair)
            table.add_row(escape(row.name), *map(escape, cells))
        parts += ["", table]
    return [*parts, "", *found.notes]


def _states(item: Overview, command: str) -> str:
    """The states of a command's stages, a line each; a conversion has one for each converter."""
    return "\n".join(_MARKS[view.state] for view in item.stages.values() if view.name == command) or "–"


def graph(model: Graph) -> list[Table | str]:
    """The nodes of a graph, a row each, and the properties of the model."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("node", "op", "inputs", "outputs"):
        table.add_column(name, overflow="fold")
    for node in model.nodes:
        tensors = (
            "\n".join(_tensor(item) for item in model.tensors_of(names)) for names in (node.inputs, node.outputs)
        )
        table.add_row(*(escape(text) for text in (node.id, node.versioned_op, *tensors)))
    operations = sum(node.kind == "op" for node in model.nodes)
    properties = [format_count(operations, "operation"), *(f"{name} {text}" for name, text in model.properties.items())]
    return [table, ", ".join(properties)]


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name or '–'} {tensor.text}".strip()


def predictions(images: list[ReadImage]) -> list[Table]:
    """A table per image: a row per runtime with the probability of each digit in percent."""
    tables = []
    for image in images:
        title = escape(image.path) + (": [yellow]does not look like one digit[/]" if image.doubt else "")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        table.add_column("runtime", no_wrap=True)
        table.add_column("reads")
        for digit in range(10):
            table.add_column(f"{digit}", justify="right")
        for name, found in image.runtimes.items():
            if isinstance(found, str):
                table.add_row(name, f"✗ {escape(found)}")
            else:
                table.add_row(name, f"[bold]{found.label}[/]", *(f"{100 * p:.1f}" for p in found.probabilities))
        tables.append(table)
    return tables
