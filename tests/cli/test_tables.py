"""Tables for people."""

import dataclasses

from rich.console import Console

from convnet_core.cli import tables
from convnet_core.jobs.overview import NOTHING_MADE, Overview, StageView


def text_of(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return [line.split() for line in capture.get().splitlines()]


def test_the_list_of_runs_puts_each_stage_into_its_column():
    """An imported model has no training, and a run may have two conversions."""
    model = {
        stage: dataclasses.replace(view, state="fresh") for stage, view in NOTHING_MADE.items() if stage != "train"
    }
    both = {**model, "convert/onnx-tf": StageView("convert", "onnx-tf", "stale")}
    unknown = {"data": None, "architecture": None, "accuracy": None}
    common = {"path": "", "title": "fast", "notes": "", "created": "", **unknown}
    items = [
        Overview(name="a", stages=model, verdict="agree", not_compared=(), resumable=False, running=None, **common),
        Overview(name="b", stages=both, verdict="agree", not_compared=("x",), resumable=False, running=None, **common),
    ]
    fresh = ["✓", "up", "to", "date"]
    start = ["–", "–", "–", "–", *fresh, *fresh, *fresh]
    assert text_of(tables.runs(items))[1:] == [
        ["fast", "a", *start, "agree"],
        ["fast", "b", *start, "agree;", "x", "not", "compared"],
        ["!", "out", "of", "date"],
    ]
