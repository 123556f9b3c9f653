"""Measure a runtime in a fresh process of its own, so that its memory and its time to load are its own.

measure_apart   the side that waits: starts the process, reads what it finds, ends it in any case
measure         the side that works: what is known of the runtime, again after each step
main            `python -m convnet_core.benchmark.measure`: `measure` as JSON lines on standard output
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
from convnet_core.runs.run import Run
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.registry import Source, sources
from convnet_core.tensors.arrays import Bounds, Feeds, TensorInfo, example_feeds, fixed_batch
from convnet_core.worker.client import describe_exit

_NO_BOUNDS: Mapping[str, Bounds] = MappingProxyType({})
_ROUNDS = 3
"""Batch sizes take turns, so that what disturbs the machine for a moment disturbs all of them alike."""


def steps(config: BenchmarkConfig) -> int:
    """How often `measure` tells about one runtime: it is imported, loaded, asked; then all turns."""
    return 3 + _ROUNDS * len(sizes_of(config))


# -- the side that waits ----------------------------------------------------------------------------


def measure_apart(
    run: Run,
    source: Source,
    config: BenchmarkConfig,
    tell: Callable[[Speed], None],
    bounds: Mapping[str, Bounds] = _NO_BOUNDS,
) -> Speed:
    """Measure a runtime of a run in a process of its own; `tell` hears what is known after each step.

    `bounds` are those of the values that the inputs take.

    The process ends with this call, however it ends: it is killed when the time limit is over and when `tell`
    or a signal raises, and ends by itself when this process dies. What it writes to standard error, or prints,
    goes to this process's standard error.
    """
    order = {"run": str(run.path), "name": source.name, "converter": source.converter, "config": config.to_json()}
    order["bounds"] = {name: dataclasses.asdict(item) for name, item in bounds.items()}
    return follow(
        [sys.executable, "-m", "convnet_core.benchmark.measure", json.dumps(order)], _blank(source), config.limit, tell
    )


def follow(command: Sequence[str], speed: Speed, limit: float, tell: Callable[[Speed], None]) -> Speed:
    """The last `Speed` that a process told, with the reason where it did not end well within `limit` seconds."""
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
                if line.endswith(b"\n"):  # else it was killed in the middle of it
                    speed = Speed.from_json(json.loads(line))
                    tell(speed)
            status = child.wait()
        finally:
            timer.cancel()
            child.kill()
    if expired.is_set():
        return replace(speed, fault=f"given up after {limit:g} s")
    return replace(speed, fault=describe_exit(status)) if status else speed


# -- the side that works ----------------------------------------------------------------------------


def measure(source: Source, config: BenchmarkConfig, bounds: Mapping[str, Bounds] = _NO_BOUNDS) -> Iterator[Speed]:
    """What is known of a runtime, again after each step. A step that fails is the last one, with the reason."""
    speed = _blank(source)
    before = resident_mb()
    try:
        began = time.perf_counter()
        source.import_library()
        yield (speed := replace(speed, import_seconds=time.perf_counter() - began))
        began = time.perf_counter()
        runtime = source.open()
        seconds = time.perf_counter() - began
        with runtime:
            yield (speed := replace(speed, load_seconds=seconds, loaded_mb=_added(resident_mb(), before)))
            rng = np.random.default_rng(config.seed)
            inputs = [replace(info, bounds=bounds.get(info.name)) for info in runtime.inputs]
            fixed = fixed_batch(inputs)
            smallest = 1 if fixed is None else fixed
            feeds = example_feeds(inputs, smallest, rng)
            prepared = runtime.prepared(feeds)
            began = time.perf_counter()
            runtime.infer(prepared)
            seconds = time.perf_counter() - began
            yield (speed := replace(speed, first_seconds=seconds, inputs=_described(feeds)))
            for timings in _turns(runtime, inputs, sizes_of(config, smallest), config, rng):
                yield (speed := replace(speed, timings=timings, peak_mb=_added(peak_mb(), before)))
    except Exception as error:  # each runtime has kinds of its own
        yield replace(speed, fault=one_line(error))


def _turns(
    runtime: Runtime,
    inputs: Sequence[TensorInfo],
    sizes: Sequence[int],
    config: BenchmarkConfig,
    rng: np.random.Generator,
) -> Iterator[tuple[Timing, ...]]:
    """The timings of all batch sizes, again after each turn; a size that fails has no more of them."""
    times: dict[int, list[float]] = {batch: [] for batch in sizes}
    faults: dict[int, str] = {}
    feeds: dict[int, Feeds] = {}
    for _ in range(_ROUNDS):
        for batch in sizes:
            if batch in faults:
                continue
            try:
                if batch not in feeds:
                    feeds[batch] = runtime.prepared(example_feeds(inputs, batch, rng))
                times[batch] += timed(runtime, feeds[batch], config.seconds / _ROUNDS, config.warmup)
            except Exception as error:  # each runtime has kinds of its own
                faults[batch] = one_line(error)
            yield tuple(summary(size, times[size], faults.get(size, "")) for size in sizes)


def timed(runtime: Runtime, feeds: Feeds, seconds: float, warmup: int) -> list[float]:
    """The seconds that each call took, one call at least; `warmup` calls before them do not count."""
    for _ in range(warmup):
        runtime.infer(feeds)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        runtime.infer(feeds)
        times.append(time.perf_counter() - began)
    return times


def summary(batch: int, times: Sequence[float], fault: str = "") -> Timing:
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
    """The resident memory of this process in MB; None where the system does not say."""
    return _status("VmRSS")


def peak_mb() -> float | None:
    """The most that was resident in this process at any time, in MB; None where the system does not say."""
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


def _described(feeds: Feeds) -> dict[str, str]:
    return {name: f"{array.dtype} {' × '.join(map(str, array.shape))}".rstrip() for name, array in feeds.items()}


def _blank(source: Source) -> Speed:
    return Speed(name=source.name, converter=source.converter, bytes=source.bytes)


def _end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when the parent does, however that dies."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Measure the runtime that the argument names, a JSON line for each step."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    results = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a library prints is no result
    with contextlib.suppress(ImportError):
        importlib.import_module("triton")  # `import_tensorflow` wants it there; its 85 MB are not TensorFlow's
    order = json.loads(sys.argv[1])
    config = BenchmarkConfig.from_json(order["config"])
    wanted = (order["name"], order["converter"])
    found = sources(Run(Path(order["run"])), config.threads)
    source = next(item for item in found if (item.name, item.converter) == wanted)
    bounds = {name: Bounds.from_json(item) for name, item in order["bounds"].items()}
    for speed in measure(source, config, bounds):
        results.write(json.dumps(dataclasses.asdict(speed)) + "\n")
    results.flush()
    os._exit(0)  # at once: some libraries take long, or crash, as they are taken apart


if __name__ == "__main__":
    main()
