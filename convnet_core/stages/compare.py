"""The stage `compare`: every runtime on the same inputs → report.json, report.html, report.md."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from convnet_core import cases, data, measurements, report
from convnet_core.compare import TEST, InputSet, measure
from convnet_core.config import CompareConfig, DataConfig
from convnet_core.data.split import Split
from convnet_core.events import Message, Monitor, Progress
from convnet_core.files import write_json
from convnet_core.judging import Comparison, judge
from convnet_core.model import INPUT
from convnet_core.provenance import data_of
from convnet_core.runs import ABSENT, CONVERT_STAGES, Run
from convnet_core.runtimes import sources
from convnet_core.stages._stage import told

_EVENT_SECONDS = 0.2


def run_compare(
    run: Run, config: CompareConfig, monitor: Monitor, *, data_config: DataConfig | None = None
) -> Comparison:
    """Compare all runtimes of the run and write `compare/`."""
    with told("compare", monitor) as line:
        run.need("export")
        warnings = run.stale_stages("compare")
        for warning in warnings:
            monitor.emit(Message(text=f"warning: {warning}"))
        found = sources(run)
        data_config = data_config or data_of(run)
        digits = data.load(data_config, monitor)
        kept = cases.cases(run)
        inputs = [*digit_inputs(digits.test, config), *_drawings(run, kept)]
        tell = _throttled(monitor)
        files = (*(file for source in found for file in source.files), *(case.file for case in kept))
        with run.writing("compare", config.to_json(), files) as draft:
            draft.inputs["data"] = digits.fingerprint
            # A converter that was not there yet: once it is, this comparison no longer covers everything.
            draft.inputs.update({stage: ABSENT for stage in CONVERT_STAGES if run.record(stage) is None})
            with found[0].open() as reference:
                measured = measure(reference, found, inputs, config.batch_sizes, tell)
            sizes = {(source.name, source.converter): source.bytes for source in found}
            comparison = judge(measured, sizes, found[0].name, config)
            _write(draft.path, comparison, run, digits, warnings)
            measurements.save(measured, draft.path / "measurements.npz")
            draft.result = {
                "data": data_config.to_json(),
                "verdict": comparison.verdict,
                "runtimes": {line.name: line.passed for line in comparison.runtimes},
            }
        failed = [item.name for item in comparison.runtimes if not item.passed]
        line.summary = f"disagree: {', '.join(failed)}" if failed else f"{len(found)} runtimes agree"
    return comparison


def digit_inputs(test: Split, config: CompareConfig) -> list[InputSet]:
    """The whole test set, Gaussian noise, zeros, and test images times 1,000."""
    images = test.scaled()
    shape = (config.samples, *images.shape[1:])
    noise = np.random.default_rng(config.seed).standard_normal(shape).astype(np.float32)
    return [
        InputSet(TEST, {INPUT: images}, test.labels.astype(np.int64)),
        InputSet("noise", {INPUT: noise}),
        InputSet("zeros", {INPUT: np.zeros(shape, np.float32)}),
        InputSet("times 1000", {INPUT: images[: config.samples] * np.float32(1000)}),
    ]


def _drawings(run: Run, kept: list[cases.Case]) -> list[InputSet]:
    """The drawings that were kept as test cases, where there are any."""
    if not kept:
        return []
    images, labels = cases.load(run, kept)
    return [InputSet("drawings", {INPUT: images}, labels)]


def _write(folder: Path, comparison: Comparison, run: Run, digits: data.Digits, warnings: list[str]) -> None:
    title = str(run.info.get("title") or run.name)
    content = report.to_json(comparison, title, {**comparison.config.to_json(), "data": digits.name}, warnings)
    write_json(folder / "report.json", content)
    (folder / "report.md").write_text(report.to_markdown(content), encoding="utf-8")
    (folder / "report.html").write_text(report.to_html(content, comparison, digits.test.images), encoding="utf-8")


def _throttled(monitor: Monitor) -> Callable[[str, int, int], None]:
    last = 0.0

    def tell(label: str, done: int, total: int) -> None:
        nonlocal last
        here = time.monotonic()
        if here - last >= _EVENT_SECONDS or done == total:
            last = here
            monitor.emit(Progress(label=f"comparing {label}", done=done, total=total, unit="samples"))

    return tell
