"""`report.json`: the results of a comparison. Standard library only: pages that load no NumPy read it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.common.formatting import join_parts, join_words
from convnet_core.errors import RunError, one_line
from convnet_core.language import N_, _, plural
from convnet_core.runs.run import Run

FILE = "compare/report.json"
TEST = "test set"
"""The name of an input set whose labels are known."""
_INPUTS = (
    N_("test set"),
    N_("noise"),
    N_("zeros"),
    N_("times 1000"),
    N_("drawings"),
    N_("given samples"),
    N_("drawn samples"),
)


def inputs_title(name: str) -> str:
    """What people call an input set, in their language."""
    return _(name)


@dataclass(frozen=True, kw_only=True)
class LabelTolerance:
    """The least share of equal labels, and the largest loss of accuracy."""

    label_agreement: float
    accuracy_drop: float


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What counted as equal; `rule` is the float32 rule in words."""

    rtol: float
    atol: float
    rule: str
    fp16: LabelTolerance
    int8: LabelTolerance


@dataclass(frozen=True, kw_only=True)
class RuntimeLine:
    """A runtime's results on the test set, or on all inputs if there is none; None if unknown or not finite."""

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
    """One output of one runtime on one input set at one batch size; None if unknown or not finite."""

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

    `warnings` name stages that were stale at the time of the comparison, `notes` are further remarks, and `not_made`
    lists the runtimes without a file. `dissection` is the summary of the run's dissection, None if there was no fresh
    one. `created` is UTC, ISO 8601.
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
        """Whether all judged runtimes agree."""
        return self.verdict == "agree"

    @property
    def scope(self) -> str:
        """How many samples of the first input set ran at which batch sizes; empty if nothing was measured.

        For example "10,000 images of the test set at batch size 64, 1,000 of them at batch sizes 1, 2 and 7".
        """
        inputs = next((line.inputs for line in self.results), "")
        most: dict[int, int] = {}  # a runtime that failed has no samples
        for line in self.results:
            if line.inputs == inputs:
                most[line.batch] = max(most.get(line.batch, 0), line.samples)
        parts: list[str] = []
        for count in sorted(set(most.values()), reverse=True):
            sizes = _batch_sizes(sorted(batch for batch, samples in most.items() if samples == count))
            if parts:
                parts.append(_("{count:,} of them at {sizes}", count=count, sizes=sizes))
            elif inputs == TEST:
                parts.append(_("{count:,} images of the test set at {sizes}", count=count, sizes=sizes))
            else:
                what = inputs_title(inputs)
                parts.append(_("{count:,} {inputs} at {sizes}", count=count, inputs=what, sizes=sizes))
        return join_parts(parts) if parts else ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def _batch_sizes(sizes: list[int]) -> str:
    text = join_words([str(size) for size in sizes])
    return plural("batch size {sizes}", "batch sizes {sizes}", len(sizes), sizes=text)


def load(run: Run) -> Report:
    """The run's report. Raises RunError if it cannot be read."""
    path = run.file(FILE)
    try:
        return dataclass_from_json(Report, read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), run.command_for("compare")
        ) from error
