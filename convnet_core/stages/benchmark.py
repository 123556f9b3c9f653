"""The stage `benchmark`: every runtime measured, one after another → benchmark.json.

It is not part of the pipeline: nothing stands on it, and it is run when somebody wants to know.
"""

from __future__ import annotations

from convnet_core.benchmark.measure import measure_apart, steps
from convnet_core.benchmark.results import FILE, STAGE, Benchmark, Speed, headline, machine
from convnet_core.common.files import write_json
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.events import Message, Monitor, Progress
from convnet_core.jobs.job import device_lock
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES
from convnet_core.runs.stage_record import now
from convnet_core.runtimes.registry import Source, sources
from convnet_core.runtimes.specs import all_versions
from convnet_core.stages.samples import model_of
from convnet_core.stages.stage import stage_events


def run_benchmark(run: Run, config: BenchmarkConfig, monitor: Monitor) -> Benchmark:
    """Measure all runtimes of the run and write `benchmark/`. A runtime that fails is a line with its reason.

    Waits while a training has the processor: neither would be itself beside the other.
    """
    with stage_events(STAGE, monitor) as line:
        run.require("export")
        for warning in run.stale_stages("compare"):  # what is ahead of compare is ahead of this, too
            monitor.emit(Message(text=f"warning: {warning}"))
        found = sources(run, config.threads)
        files = tuple(file for source in found for file in source.files)
        with device_lock("cpu", monitor), run.write_stage(STAGE, config.to_json(), files) as draft:
            draft.versions = all_versions()
            # A converter that was not there yet: once it is, these figures no longer cover everything.
            draft.inputs.update({stage: ABSENT for stage in CONVERT_STAGES if run.record(stage) is None})
            benchmark = Benchmark(
                created=now(),
                machine=machine(),
                versions=all_versions(),
                config=config,
                runtimes=tuple(_measured(run, found, config, monitor)),
            )
            write_json(draft.path / FILE, benchmark.to_json())
            draft.result = {"runtimes": {speed.name: not speed.fault for speed in benchmark.runtimes}}
        line.summary = _summary(benchmark)
    return benchmark


def _measured(run: Run, found: list[Source], config: BenchmarkConfig, monitor: Monitor) -> list[Speed]:
    each, speeds = steps(config), []
    infos = inputs_with_bounds(model_of(run)) if run.is_model else ()
    bounds = {info.name: info.bounds for info in infos if info.bounds}
    for position, source in enumerate(found):
        done = each * position
        label = f"measuring {source.name}"
        monitor.emit(Progress(label=label, done=done, total=each * len(found), unit="steps"))

        def tell(_: Speed, label: str = label, last: int = each * (position + 1)) -> None:
            nonlocal done
            done = min(done + 1, last)
            monitor.emit(Progress(label=label, done=done, total=each * len(found), unit="steps"))

        speeds.append(measure_apart(run, source, config, tell, bounds))
        if speeds[-1].faults:
            monitor.emit(Message(text=f"{source.name}: {speeds[-1].faults}"))
    return speeds


def _summary(benchmark: Benchmark) -> str:
    failed = [speed.name for speed in benchmark.runtimes if speed.fault]
    return headline(benchmark) + (f"; failed: {', '.join(failed)}" if failed else "")
