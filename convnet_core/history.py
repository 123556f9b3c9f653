"""The course of a run's training, wherever it is kept. Imports no torch."""

from __future__ import annotations

from convnet_core.errors import RunError
from convnet_core.events import Metrics
from convnet_core.files import read_json
from convnet_core.runs import Run


def history(run: Run) -> list[Metrics]:
    """The metrics of the training that is finished, else of the one that was stopped; empty where there is none.

    Raises RunError where they cannot be read.
    """
    try:
        if (stopped := run.record("checkpoint")) is not None:
            return [Metrics(**item) for item in stopped.result["history"]]
        path = run.path / "train" / "metrics.json"
        return [Metrics(**item) for item in read_json(path)["history"]] if path.is_file() else []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"the training history of {run.name} cannot be read: {error}") from error
