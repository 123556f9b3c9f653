"""The results of the converters of a run, side by side. Does not import TensorFlow."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from convnet_core.benchmark import results
from convnet_core.compare import report_file
from convnet_core.errors import ConvNetError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES
from convnet_core.runs.stage_results import ConversionResult
from convnet_core.runtimes.specs import TENSORFLOW, spec_of


@dataclass(frozen=True)
class Line:
    """The results of one converter. `error` is the SavedModel's largest error in the comparison, `median_ms` its
    latency at the smallest batch; None if that was not measured or is stale, or if there is no SavedModel.
    """

    converter: str
    tensorflow_ops: int
    transposes: int | None
    saved_model_bytes: int | None
    seconds: float
    error: float | None
    median_ms: float | None


def side_by_side(run: Run) -> list[Line]:
    """A line for each converter that was used on the run. Raises RunError if a record is damaged."""
    errors, latencies = _errors(run), _latencies(run)
    lines = []
    for stage in CONVERT_STAGES:
        record = run.record(stage)
        if record is not None:
            result = record.result_as(ConversionResult)
            converter = stage.partition("/")[2]
            lines.append(
                Line(
                    converter=converter,
                    tensorflow_ops=result.tensorflow_ops,
                    transposes=result.transposes,
                    saved_model_bytes=result.sizes.get(TENSORFLOW.file),
                    seconds=record.seconds,
                    error=errors.get(converter),
                    median_ms=latencies.get(converter),
                )
            )
    return lines


def not_compared(run: Run) -> list[str]:
    """The converters that were used on the run after its comparison, which does not cover them. Raises RunError."""
    inputs = run.require("compare").inputs
    later = [stage for stage in CONVERT_STAGES if inputs.get(stage) == ABSENT and run.state(stage).state != "missing"]
    return [stage.partition("/")[2] for stage in later]


def _errors(run: Run) -> dict[str, float | None]:
    if run.state("compare").state != "fresh":
        return {}
    with contextlib.suppress(ConvNetError):
        return {
            line.converter: line.max_abs_error
            for line in report_file.load(run).runtimes
            if line.converter and spec_of(line.name) is TENSORFLOW
        }
    return {}


def _latencies(run: Run) -> dict[str, float | None]:
    if run.state(results.STAGE).state != "fresh":
        return {}
    with contextlib.suppress(ConvNetError):
        return {
            speed.converter: speed.latency.median_ms
            for speed in results.load(run).runtimes
            if speed.converter and spec_of(speed.name) is TENSORFLOW and speed.latency
        }
    return {}
