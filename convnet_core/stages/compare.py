"""The stage `compare`: every runtime on the same inputs → report.json, report.html, report.md."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2  # noqa: F401  # which the report needs: better missed now than when all is measured
import onnx

from convnet_core.common.files import write_json
from convnet_core.compare import measurements_file, report
from convnet_core.compare.differences import NOT_FINITE, Measurement
from convnet_core.compare.judge import Comparison, judge
from convnet_core.compare.measure import ReferenceFault
from convnet_core.compare.verdict import sentence
from convnet_core.compare.worker_session import measure, warm_up
from convnet_core.config.stages import CompareConfig, DataConfig
from convnet_core.convert import float16
from convnet_core.dissect.report import content as dissect
from convnet_core.dissect.report import documents
from convnet_core.events import Message, Monitor, Progress
from convnet_core.onnx_files.refused_inputs import explain
from convnet_core.runs import drawings
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES
from convnet_core.runtimes.registry import Source, not_made, sources
from convnet_core.runtimes.specs import all_versions, spec_of
from convnet_core.stages.samples import ComparisonInputs, comparison_inputs, model_of
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.model_inputs import InputSpec

_EVENT_SECONDS = 0.2
_AT_ONCE = 4
_LARGE = 500_000_000
"""Bytes of all artefacts."""
_NOTHING = InputSpec()


def run_compare(
    run: Run,
    config: CompareConfig,
    monitor: Monitor,
    *,
    data_config: DataConfig | None = None,
    input_spec: InputSpec = _NOTHING,
) -> Comparison:
    """Compare all runtimes of the run and write `compare/`.

    On the test set that the run was trained on, or on that of `data_config`; an imported model on inputs that
    `input_spec` describes.
    """
    with stage_events("compare", monitor) as line:
        run.require("export")
        warm_up()
        warnings = run.stale_stages("compare")
        for warning in warnings:
            monitor.emit(Message(text=f"warning: {warning}"))
        found = sources(run)
        chosen = comparison_inputs(run, config, monitor, data_config, input_spec)
        kept = drawings.list_drawings(run)
        tell = _throttled(monitor)
        files = (*(file for source in found for file in source.files), *(case.file for case in kept))
        with run.write_stage("compare", config.to_json(), files) as draft:
            draft.inputs["data"] = chosen.fingerprint
            draft.versions = all_versions()
            # A converter that was not there yet: once it is, this comparison no longer covers everything.
            draft.inputs.update({stage: ABSENT for stage in CONVERT_STAGES if run.record(stage) is None})
            try:
                measured = measure(
                    run,
                    found,
                    chosen.inputs,
                    chosen.batch_sizes,
                    tell,
                    at_once(found),
                    chosen.precisions,
                    config,
                )
            except ReferenceFault as error:
                raise explain(error, model_of(run), error.feeds, input_spec, error.batch) from error
            measured = _with_losses(measured, model_of(run))
            sizes = {(source.name, source.converter): source.bytes for source in found}
            comparison = judge(measured, sizes, found[0].name, config)
            content = _write(draft.path, comparison, run, chosen, warnings)
            measurements_file.save(measured, draft.path / "measurements.npz")
            draft.result = {
                **chosen.record,
                "verdict": comparison.verdict,
                "runtimes": {line.name: line.passed for line in comparison.runtimes},
            }
        line.summary = sentence(content)
    return comparison


def _write(
    folder: Path, comparison: Comparison, run: Run, chosen: ComparisonInputs, warnings: list[str]
) -> dict[str, Any]:
    title = str(run.info.get("title") or run.name)
    content = report.to_json(
        comparison,
        title,
        {**comparison.config.to_json(), "data": chosen.name},
        warnings,
        _dissection(run),
        not_made(run),
    )
    write_json(folder / "report.json", content)
    (folder / "report.md").write_text(report.to_markdown(content), encoding="utf-8")
    (folder / "report.html").write_text(report.to_html(content, comparison, chosen.images), encoding="utf-8")
    return content


def _with_losses(measured: list[Measurement], model: onnx.ModelProto) -> list[Measurement]:
    """With the constants that are lost in float16, where the answers of a float16 file are not finite."""
    losses = float16.lost_constants(model)
    return [
        replace(item, fault=f"{item.fault}, as in float16 {losses}")
        if losses and item.fault.endswith(NOT_FINITE) and spec_of(item.key.runtime).precision == "float16"
        else item
        for item in measured
    ]


def at_once(found: Sequence[Source]) -> int:
    """Runtimes side by side: each has one thread; of large models one, so that only one is in memory."""
    small = sum(source.bytes for source in found) < _LARGE
    return min(_AT_ONCE, os.cpu_count() or 1) if small else 1


def _dissection(run: Run) -> dict[str, Any] | None:
    """The summary of the run's dissection; None where there is none of the run as it is."""
    if run.state(dissect.STAGE).state != "fresh":
        return None
    content = documents.load(run)
    return dissect.summary(content) if content["config"]["lesson"] == "none" else None


def _throttled(monitor: Monitor) -> Callable[[str, int, int], None]:
    last = 0.0

    def tell(label: str, done: int, total: int) -> None:
        nonlocal last
        here = time.monotonic()
        if here - last >= _EVENT_SECONDS or done == total:
            last = here
            monitor.emit(Progress(label=f"comparing {label}", done=done, total=total, unit="samples"))

    return tell
