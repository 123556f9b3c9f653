"""`report.json`: what a comparison found, line by line. Standard library only: pages show it that load no NumPy."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.errors import RunError, one_line
from convnet_core.runs.run import Run

FILE = "compare/report.json"


@dataclass(frozen=True, kw_only=True)
class LabelTolerance:
    """The least share of equal labels, and the largest loss of accuracy."""

    label_agreement: float
    accuracy_drop: float


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What counted as the same answer; `rule` is the one for float32 in words."""

    rtol: float
    atol: float
    rule: str
    fp16: LabelTolerance
    int8: LabelTolerance


@dataclass(frozen=True, kw_only=True)
class RuntimeLine:
    """A runtime's figures over the test set, or over everything; None where a figure is not known or not finite."""

    name: str
    converter: str | None = None
    passed: bool
    judged: bool = True
    bytes: int = 0
    accuracy: float | None = None
    label_agreement: float | None = None
    max_abs_error: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """One output of one runtime on one input set at one batch size; None as in `RuntimeLine`."""

    runtime: str
    converter: str | None
    inputs: str
    batch: int
    output: str
    samples: int
    max_abs_error: float | None
    mean_abs_error: float | None
    max_rel_error: float | None
    label_agreement: float | None
    accuracy: float | None
    judged: bool
    passed: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole file.

    `warnings` are what a reader must know first: stages that were stale when they were compared; `notes` what else is
    to know; `not_made` the runtimes that there are no files of; `dissection` is the summary of one, where the run was
    taken apart. `created` is UTC, ISO 8601.
    """

    title: str
    created: str
    verdict: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_made: tuple[str, ...] = ()
    reference: str
    tolerance: Tolerance
    runtimes: tuple[RuntimeLine, ...]
    results: tuple[ResultLine, ...]
    dissection: dict[str, Any] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def agree(self) -> bool:
        """Whether all runtimes that were judged agree."""
        return self.verdict == "agree"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def load(run: Run) -> Report:
    """The run's report. Raises RunError where it cannot be read."""
    path = run.file(FILE)
    try:
        return dataclass_from_json(Report, read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for("compare")) from error
