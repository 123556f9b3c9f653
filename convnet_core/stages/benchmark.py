"""The stage `benchmark`: measure every runtime, one after another → benchmark.json.

It is not part of the pipeline: no other stage depends on it.
"""

from __future__ import annotations

from convnet_core.benchmark.measure import measure_in_process, steps
from convnet_core.benchmark.results import FILE, STAGE, Benchmark, Speed, headline, machine
from convnet_core.common.files import write_json
from convnet_core.common.formatting import join_clauses, list_words
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.convert.loaded_model import LoadedModel, load_model
from convnet_core.events import Message, Monitor, Progress
from convnet_core.jobs.job import device_lock
from convnet_core.language import _
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES
from convnet_core.runs.stage_record import now
from convnet_core.runtimes.registry import Source, sources
from convnet_core.runtimes.specs import all_versions
from convnet_core.stages.stage import stage_events


def run_benchmark(run: Run, config: BenchmarkConfig, monitor: Monitor, model: LoadedModel | None = None) -> Benchmark:
    """Measure all runtimes of the run and write `benchmark/`. A runtime that fails gets a line with the reason.

    Waits until no training uses the processor: running side by side would slow both down. `model` is the run's model if
    it is loaded.
    """
    with stage_events(STAGE, monitor) as line:
        run.require("export")
        for warning in run.stale_stages("compare"):  # the benchmark depends on the same stages as compare
            monitor.emit(Message(text=_("warning: {warning}", warning=warning)))
        all_sources = sources(run, config.threads)
        files = tuple(file for source in all_sources for file in source.files)
        with device_lock("cpu", monitor), run.write_stage(STAGE, config.to_json(), files) as draft:
            draft.versions = all_versions()
            # Once a missing conversion exists, these figures are stale: they no longer cover every runtime.
            draft.inputs.update({stage: ABSENT for stage in CONVERT_STAGES if run.record(stage) is None})
            benchmark = Benchmark(
                created=now(),
                machine=machine(),
                versions=all_versions(),
                config=config,
                runtimes=tuple(_measure_all(run, all_sources, config, monitor, model)),
            )
            write_json(draft.path / FILE, benchmark.to_json())
            draft.result = {"runtimes": {speed.name: not speed.fault for speed in benchmark.runtimes}}
        line.summary = _summary(benchmark)
    return benchmark


def _measure_all(
    run: Run, all_sources: list[Source], config: BenchmarkConfig, monitor: Monitor, model: LoadedModel | None
) -> list[Speed]:
    steps_each, speeds = steps(config), []
    total = steps_each * len(all_sources)
    infos = inputs_with_bounds((model or load_model(run)).proto) if run.is_model else ()
    bounds = {info.name: info.bounds for info in infos if info.bounds}
    for position, source in enumerate(all_sources):
        done = steps_each * position
        label = _("measuring {runtime}", runtime=source.name)
        monitor.emit(Progress(label=label, done=done, total=total, unit=_("steps")))

        def report_step(_speed: Speed, label: str = label, last: int = steps_each * (position + 1)) -> None:
            nonlocal done
            done = min(done + 1, last)
            monitor.emit(Progress(label=label, done=done, total=total, unit=_("steps")))

        speeds.append(measure_in_process(run, source, config, report_step, bounds))
        if speeds[-1].faults:
            monitor.emit(Message(text=f"{source.name}: {speeds[-1].faults}"))
    return speeds


def _summary(benchmark: Benchmark) -> str:
    failed = [speed.name for speed in benchmark.runtimes if speed.fault]
    first = headline(benchmark)
    return join_clauses([first, _("failed: {runtimes}", runtimes=list_words(failed))]) if failed else first
