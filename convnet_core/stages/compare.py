"""The stage `compare`: every runtime on the same inputs → report.json, report.html, report.md."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2  # noqa: F401  # the report needs it: fail now, not after the measurement

from convnet_core.common.files import write_json
from convnet_core.compare import measurements_file, report
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, judge
from convnet_core.compare.measure import ReferenceFault
from convnet_core.compare.report_file import Report
from convnet_core.compare.verdict import sentence
from convnet_core.compare.worker_session import measure, warm_up
from convnet_core.config.stages import CompareConfig, DataConfig
from convnet_core.convert import float16
from convnet_core.convert.loaded_model import LoadedModel, load_model
from convnet_core.dissect.report import content as dissect
from convnet_core.dissect.report import documents
from convnet_core.events import Message, Monitor, Progress
from convnet_core.language import _
from convnet_core.onnx_files.refused_inputs import explain
from convnet_core.runs import drawings
from convnet_core.runs.names import title_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES
from convnet_core.runs.stage_results import ComparisonResult
from convnet_core.runtimes.registry import Source, not_made, sources
from convnet_core.runtimes.specs import all_versions, spec_of
from convnet_core.stages.samples import ComparisonInputs, comparison_inputs
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.model_inputs import InputSpec

_EVENT_SECONDS = 0.2
_MOST_PARALLEL = 4
_LARGE = 500_000_000
"""Bytes of all artifacts together."""
_NO_SPEC = InputSpec()


def run_compare(
    run: Run,
    config: CompareConfig,
    monitor: Monitor,
    *,
    data_config: DataConfig | None = None,
    input_spec: InputSpec = _NO_SPEC,
    model: LoadedModel | None = None,
) -> Comparison:
    """Compare all runtimes of the run and write `compare/`.

    Digits come from the test set of the run's data set, or of `data_config`. An imported model gets the inputs
    that `input_spec` describes. `model` is the run's model if it is loaded.
    """
    with stage_events("compare", monitor) as line:
        run.require("export")
        warm_up()
        warnings = run.stale_stages("compare")
        for warning in warnings:
            monitor.emit(Message(text=_("warning: {warning}", warning=warning)))
        all_sources = sources(run)
        model = model or load_model(run)
        inputs = comparison_inputs(run, model, config, monitor, data_config, input_spec)
        cases = drawings.list_drawings(run)
        files = (*(file for source in all_sources for file in source.files), *(case.file for case in cases))
        with run.write_stage("compare", config.to_json(), files) as draft:
            draft.inputs["data"] = inputs.fingerprint
            draft.versions = all_versions()
            # A comparison of no conversion is stale once there is one.
            draft.inputs.update({stage: ABSENT for stage in CONVERT_STAGES if run.record(stage) is None})
            monitor.emit(Progress(label=_("loading the runtimes"), done=0, total=len(all_sources)))
            try:
                measurements = measure(
                    run,
                    all_sources,
                    inputs.inputs,
                    inputs.batch_sizes,
                    _throttle(monitor),
                    parallel_runtimes(all_sources),
                    inputs.precisions,
                    config,
                )
            except ReferenceFault as error:
                raise explain(error, model.proto, error.feeds, input_spec, error.batch) from error
            measurements = _explain_float16(measurements, model)
            sizes = {(source.name, source.converter): source.bytes for source in all_sources}
            comparison = judge(measurements, sizes, all_sources[0].name, config)
            content = _write(draft.path, comparison, run, inputs, warnings)
            measurements_file.save(measurements, draft.path / "measurements.npz")
            passed = {line.name: line.passed for line in comparison.runtimes if line.judged}
            draft.result = {
                **inputs.record,
                **dataclasses.asdict(ComparisonResult(comparison.verdict, passed)),
            }
        line.summary = sentence(content)
    return comparison


def _write(folder: Path, comparison: Comparison, run: Run, inputs: ComparisonInputs, warnings: list[str]) -> Report:
    title = title_of(run)
    content = report.report_of(
        comparison,
        title,
        {**comparison.config.to_json(), "data": inputs.name},
        warnings,
        _dissection(run),
        not_made(run),
    )
    write_json(folder / "report.json", content.to_json())
    (folder / "report.md").write_text(report.to_markdown(content), encoding="utf-8")
    (folder / "report.html").write_text(report.to_html(content, comparison, inputs.images), encoding="utf-8")
    return content


def _explain_float16(measurements: list[Measurement], model: LoadedModel) -> list[Measurement]:
    """Add the constants that do not fit into float16 to the faults of float16 files whose outputs are not finite."""
    losses = float16.lost_constants(model.proto)
    return [
        replace(item, fault=_("{fault}, as in float16 {losses}", fault=item.fault, losses=losses))
        if losses and item.not_finite and spec_of(item.key.runtime).precision == "float16"
        else item
        for item in measurements
    ]


def parallel_runtimes(all_sources: Sequence[Source]) -> int:
    """How many runtimes run in parallel, with one thread each: one if the model is large, to save memory."""
    small = sum(source.bytes for source in all_sources) < _LARGE
    return min(_MOST_PARALLEL, os.cpu_count() or 1) if small else 1


def _dissection(run: Run) -> dict[str, Any] | None:
    """The summary of the run's dissection; None if there is no fresh one."""
    if run.state(dissect.STAGE).state != "fresh":
        return None
    report = documents.load(run)
    return dissect.summary(report) if report.config.lesson == "none" else None


def _throttle(monitor: Monitor) -> Callable[[str, int, int], None]:
    """A callback (label, done, total) that emits progress at most every 0.2 s, and at the end."""
    last = 0.0

    def report_progress(label: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVENT_SECONDS or done == total:
            last = now
            monitor.emit(
                Progress(label=_("comparing {runtime}", runtime=label), done=done, total=total, unit=_("samples"))
            )

    return report_progress
