"""Measure a runtime in a new process, so that its memory and load time do not include other runtimes.

measure_in_process  the parent: starts the process, reads its results, and ends it in any case
measure             the child: yields all results so far after each step
main                `python -m convnet_core.benchmark.measure`: `measure` as JSON lines on standard output
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from convnet_core.benchmark.results import Speed, Timing, sizes_of
from convnet_core.common.processes import environment
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import one_line
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.registry import Source, sources
from convnet_core.tensors.arrays import Bounds, Feeds, TensorInfo, example_feeds, fixed_batch
from convnet_core.worker.client import describe_exit

_NO_BOUNDS: Mapping[str, Bounds] = MappingProxyType({})
_ROUNDS = 3
"""Batch sizes take turns, so a short disturbance of the machine affects all of them alike."""


def steps(config: BenchmarkConfig) -> int:
    """How many results `measure` yields for one runtime: import, load, first call, and each turn."""
    return 3 + _ROUNDS * len(sizes_of(config))


# -- the parent -----------------------------------------------------------------------------------


def measure_in_process(
    run: Run,
    source: Source,
    config: BenchmarkConfig,
    on_step: Callable[[Speed], None],
    bounds: Mapping[str, Bounds] = _NO_BOUNDS,
) -> Speed:
    """Measure a runtime of a run in a new process; `on_step` receives the results so far after each step.

    `bounds` limit the values of the inputs.

    The process always ends with this call: it is killed at the time limit and when `on_step` or a signal raises, and
    exits when this process dies. Everything it prints goes to this process's standard error.
    """
    task = {"run": str(run.path), "name": source.name, "converter": source.converter, "config": config.to_json()}
    task["bounds"] = {name: dataclasses.asdict(item) for name, item in bounds.items()}
    return follow(
        [sys.executable, "-m", "convnet_core.benchmark.measure", json.dumps(task)],
        _blank(source),
        config.limit,
        on_step,
    )


def follow(command: Sequence[str], speed: Speed, limit: float, on_step: Callable[[Speed], None]) -> Speed:
    """The last `Speed` that a process reported, with the reason if it failed or exceeded `limit` seconds."""
    with subprocess.Popen(
        command,
        env=environment(TF_CPP_MIN_LOG_LEVEL="2"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        assert child.stdout
        expired = threading.Event()

        def give_up() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(limit, give_up)
        timer.daemon = True
        timer.start()
        try:
            for line in child.stdout:
                if line.endswith(b"\n"):  # a partial line comes from a killed process
                    speed = Speed.from_json(json.loads(line))
                    on_step(speed)
            status = child.wait()
        finally:
            timer.cancel()
            child.kill()
    if expired.is_set():
        return replace(speed, fault=_("given up after {seconds:g} s", seconds=limit))
    return replace(speed, fault=describe_exit(status)) if status else speed


# -- the child ------------------------------------------------------------------------------------


def measure(source: Source, config: BenchmarkConfig, bounds: Mapping[str, Bounds] = _NO_BOUNDS) -> Iterator[Speed]:
    """Yield all results so far after each step. A failed step is the last one, with the reason."""
    speed = _blank(source)
    before = resident_mb()
    try:
        start = time.perf_counter()
        source.import_library()
        yield (speed := replace(speed, import_seconds=time.perf_counter() - start))
        start = time.perf_counter()
        runtime = source.open()
        seconds = time.perf_counter() - start
        with runtime:
            yield (speed := replace(speed, load_seconds=seconds, loaded_mb=_added(resident_mb(), before)))
            rng = np.random.default_rng(config.seed)
            inputs = [replace(info, bounds=bounds.get(info.name)) for info in runtime.inputs]
            fixed = fixed_batch(inputs)
            smallest = 1 if fixed is None else fixed
            feeds = example_feeds(inputs, smallest, rng)
            prepared = runtime.prepared(feeds)
            start = time.perf_counter()
            runtime.infer(prepared)
            seconds = time.perf_counter() - start
            yield (speed := replace(speed, first_seconds=seconds, inputs=_describe(feeds)))
            for timings in _turns(runtime, inputs, sizes_of(config, smallest), config, rng):
                yield (speed := replace(speed, timings=timings, peak_mb=_added(peak_mb(), before)))
    except Exception as error:  # each runtime raises its own error types
        yield replace(speed, fault=one_line(error))


def _turns(
    runtime: Runtime,
    inputs: Sequence[TensorInfo],
    sizes: Sequence[int],
    config: BenchmarkConfig,
    rng: np.random.Generator,
) -> Iterator[tuple[Timing, ...]]:
    """Yield the timings of all batch sizes after each turn; a size that fails is not timed again."""
    times: dict[int, list[float]] = {batch: [] for batch in sizes}
    faults: dict[int, str] = {}
    feeds: dict[int, Feeds] = {}
    for _round in range(_ROUNDS):
        for batch in sizes:
            if batch in faults:
                continue
            try:
                if batch not in feeds:
                    feeds[batch] = runtime.prepared(example_feeds(inputs, batch, rng))
                times[batch] += time_calls(runtime, feeds[batch], config.seconds / _ROUNDS, config.warmup)
            except Exception as error:  # each runtime raises its own error types
                faults[batch] = one_line(error)
            yield tuple(summarize(size, times[size], faults.get(size, "")) for size in sizes)


def time_calls(runtime: Runtime, feeds: Feeds, seconds: float, warmup: int) -> list[float]:
    """The seconds of each call, at least one; `warmup` calls before them do not count."""
    for _call in range(warmup):
        runtime.infer(feeds)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        runtime.infer(feeds)
        times.append(time.perf_counter() - start)
    return times


def summarize(batch: int, times: Sequence[float], fault: str = "") -> Timing:
    """Median, 95th percentile and throughput (a batch in the median time) of calls in seconds."""
    if fault or not times:
        return Timing(batch=batch, fault=fault)
    median, p95 = np.percentile(times, (50, 95)).tolist()
    return Timing(
        batch=batch,
        calls=len(times),
        median_ms=1e3 * median,
        p95_ms=1e3 * p95,
        samples_per_second=batch / median,
    )


def resident_mb() -> float | None:
    """The resident memory of this process in MB; None if the system does not report it."""
    return _status("VmRSS")


def peak_mb() -> float | None:
    """The peak resident memory of this process in MB; None if the system does not report it."""
    return _status("VmHWM")


def _status(name: str) -> float | None:
    """A line of /proc/self/status, in MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), None)


def _added(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _describe(feeds: Feeds) -> dict[str, str]:
    return {name: f"{array.dtype} {' × '.join(map(str, array.shape))}".rstrip() for name, array in feeds.items()}


def _blank(source: Source) -> Speed:
    return Speed(name=source.name, converter=source.converter, bytes=source.bytes)


def _end_with_parent() -> None:
    """Exit with the parent: standard input is a pipe that closes when the parent dies."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Measure the runtime that the argument names; prints a JSON line after each step."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    results = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # keep the output of libraries out of the results
    with contextlib.suppress(ImportError):
        importlib.import_module("triton")  # `import_tensorflow` imports it; do not count its 85 MB as TensorFlow's
    task = json.loads(sys.argv[1])
    config = BenchmarkConfig.from_json(task["config"])
    wanted = (task["name"], task["converter"])
    all_sources = sources(Run(Path(task["run"])), config.threads)
    source = next(item for item in all_sources if (item.name, item.converter) == wanted)
    bounds = {name: Bounds.from_json(item) for name, item in task["bounds"].items()}
    for speed in measure(source, config, bounds):
        results.write(json.dumps(dataclasses.asdict(speed)) + "\n")
    results.flush()
    os._exit(0)  # skip cleanup: some libraries take long or crash in it


if __name__ == "__main__":
    main()
