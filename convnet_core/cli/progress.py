"""Events as progress bars on standard error, or as plain lines if that is not a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from convnet_core import events

_LINE_SECONDS = 5.0  # between two lines of the same stage, if there is no terminal


class ProgressDisplay:
    """Observes a job. Use it as a context manager: the bars are gone before the results are printed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._label = ""
        self._printed_at = 0.0  # time.monotonic() of the last line

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.StageStarted(stage=stage):
                self._printed_at = time.monotonic()
                if not self._console.is_terminal:
                    self._console.print(f"{stage} ...")
            case events.StageDone(stage=stage, seconds=seconds, summary=summary):
                self._clear()
                self._console.print(f"[green]✓[/] {stage:<8} {seconds:6.1f} s  {escape(summary)}", highlight=False)
            case events.Progress(label=label, done=done, total=total, unit=unit):
                self._show(label, done, total, f"{done:,} of {total:,} {unit}")
            case events.Metrics() as metrics:
                self._show("training", metrics.step, metrics.total_steps, describe(metrics))
            case events.Message(text=text):
                self._console.print(f"  {escape(text)}", highlight=False)

    def _show(self, label: str, done: int, total: int, detail: str) -> None:
        if self._console.is_terminal:
            if self._task is None or label != self._label:
                self._clear()
                self._task, self._label = self._bars.add_task(label, total=total, detail=""), label
            self._bars.update(self._task, completed=done, total=total, detail=detail)
        elif time.monotonic() - self._printed_at > _LINE_SECONDS:
            self._printed_at = time.monotonic()
            self._console.print(f"  {label}: {detail}", highlight=False)

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def describe(metrics: events.Metrics) -> str:
    """A metrics event in one line."""
    parts = [
        f"epoch {metrics.epoch:.1f}",
        f"loss {metrics.loss:.3f}",
        f"{100 * metrics.accuracy:.1f} % correct",
        f"{metrics.images_per_second:,.0f} images/s",
    ]
    if metrics.validation_accuracy is not None:
        parts.append(f"validation {100 * metrics.validation_accuracy:.2f} %")
    return ", ".join(parts)
