"""The course of a run's training, wherever it is kept. Imports no torch."""

from __future__ import annotations

from typing import Any

from convnet_core.errors import RunError, one_line
from convnet_core.events import Metrics
from convnet_core.files import read_json
from convnet_core.runs import Run
from convnet_core.shapes import made


def history(run: Run) -> list[Metrics]:
    """The metrics of a training that was stopped, else of the one that is finished; empty where there is none.

    Raises RunError where they cannot be read.
    """
    stopped = run.record("checkpoint")
    if stopped is None and run.record("train") is None:
        return []
    try:
        return [made(Metrics, item) for item in (stopped.result if stopped else measured(run))["history"]]
    except (TypeError, KeyError, OverflowError) as error:
        raise RunError(f"the training history of {run.name} cannot be read: {one_line(error)}") from error


def measured(run: Run) -> dict[str, Any]:
    """metrics.json of a finished training: `test`, `confusion` (row: the truth; column: the answer), `mistakes`
    (the worst first) and `history`. Raises RunError where it cannot be read.
    """
    path = run.path / "train" / "metrics.json"
    try:
        value: dict[str, Any] = read_json(path)
        return {**value, "test": value["test"], "confusion": value["confusion"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for("train")) from error
