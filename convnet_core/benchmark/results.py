"""The results of a benchmark: how fast each runtime loads and runs, and how much memory and disk it uses.

`measure.py` measures; `stages/benchmark.py` writes `benchmark.json`; the command line and the app show it.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.common.formatting import join_clauses, join_parts
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import ConvNetError, RunError, one_line
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.runtimes.specs import available

STAGE, FILE = "benchmark", "benchmark.json"
_START_SECONDS = 1.5  # to start the process and load library and model of an average runtime


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long calls at one batch size took; `fault` says why that is unknown."""

    batch: int
    calls: int = 0
    median_ms: float | None = None
    p95_ms: float | None = None
    samples_per_second: float | None = None
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The results of one runtime; unknown figures are None, and `fault` says why.

    `loaded_mb` is the resident memory that its library and the model add to a process that has NumPy, onnx and
    triton; `peak_mb` the peak, which includes inputs and outputs of the largest batch. `inputs` describes
    the arrays of the first call. `bytes` is the size on disk.
    """

    name: str
    converter: str | None
    bytes: int
    inputs: dict[str, str] = field(default_factory=dict)
    import_seconds: float | None = None
    load_seconds: float | None = None
    first_seconds: float | None = None
    loaded_mb: float | None = None
    peak_mb: float | None = None
    timings: tuple[Timing, ...] = ()
    fault: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Speed:
        """The inverse of `dataclasses.asdict`."""
        return dataclass_from_json(cls, value)

    @property
    def latency(self) -> Timing | None:
        """The timing at the smallest batch that ran: 1, unless the model has a fixed batch."""
        return next((timing for timing in self.timings if timing.calls), None)

    @property
    def best(self) -> Timing | None:
        """The timing with the highest throughput."""
        return max((t for t in self.timings if t.calls), key=lambda t: t.samples_per_second or 0, default=None)

    @property
    def more_at_peak_mb(self) -> float | None:
        """The difference between `peak_mb` and `loaded_mb`."""
        return None if self.loaded_mb is None or self.peak_mb is None else self.peak_mb - self.loaded_mb

    @property
    def faults(self) -> str:
        """All errors in one line."""
        faults = [_("batch {batch}: {reason}", batch=t.batch, reason=t.fault) for t in self.timings if t.fault]
        return join_clauses([self.fault, *faults] if self.fault else faults)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine; `cores` are the ones that the process may use."""

    cpu: str
    cores: int
    system: str


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """All runtimes of a run. `created` is UTC, ISO 8601."""

    created: str
    machine: Machine
    versions: dict[str, str]
    config: BenchmarkConfig
    runtimes: tuple[Speed, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Benchmark:
        """The inverse of `to_json`. Raises TypeError, OverflowError or ConfigError on anything else."""
        return dataclass_from_json(cls, value)


def load(run: Run) -> Benchmark:
    """The benchmark of a run. Raises RunError if it is missing or cannot be read."""
    run.require(STAGE)
    path = run.file(f"{STAGE}/{FILE}")
    try:
        return Benchmark.from_json(read_json(path))
    except (OSError, ValueError, TypeError, OverflowError, ConvNetError) as error:
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), hint=_("measure again")
        ) from error


def format_milliseconds(value: float) -> str:
    """A duration in ms, or in µs if it is short: 2.5 ms, 8.15 µs."""
    return f"{format_figure(1e3 * value)} µs" if value < 1 else f"{format_figure(value)} ms"


def headline(benchmark: Benchmark) -> str:
    """The fastest runtimes in one line."""
    answers = [(speed.latency.median_ms or 0, speed) for speed in benchmark.runtimes if speed.latency]
    throughput = [(speed.best.samples_per_second or 0, speed) for speed in benchmark.runtimes if speed.best]
    if not answers:
        return _("no runtime could be measured")
    quick, most = min(answers, key=lambda pair: pair[0]), max(throughput, key=lambda pair: pair[0])
    return _(
        "first to answer: {quickest}, {duration}; most at a time: {most}, {rate:,.0f} samples/s",
        quickest=quick[1].name,
        duration=format_milliseconds(quick[0]),
        most=most[1].name,
        rate=most[0],
    )


def rows(benchmark: Benchmark) -> list[dict[str, Any]]:
    """A row per runtime, with headings that include units; unknown figures are None.

    `median` and `p95` are from the smallest batch, `samples/s` is the highest of all batch sizes.
    """
    table = []
    for speed in benchmark.runtimes:
        latency, best = speed.latency or Timing(batch=1), speed.best or Timing(batch=1)
        table.append(
            {
                "runtime": speed.name,
                "median ms": latency.median_ms,
                "p95 ms": latency.p95_ms,
                "samples/s": best.samples_per_second and round(best.samples_per_second),
                "at batch": best.batch if best.calls else None,
                "import s": speed.import_seconds,
                "load s": speed.load_seconds,
                "answer s": speed.first_seconds,
                "RAM MB": speed.loaded_mb,
                "peak MB": speed.peak_mb,
                "size kB": speed.bytes / 1e3,
            }
        )
    return table


def format_figure(value: float | str | None) -> str:
    """A figure with three digits: 0.0184, 38,400; a dash if it is unknown."""
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def where_and_how(benchmark: Benchmark) -> str:
    """The machine, the number of threads and the inputs in one line."""
    machine, threads = benchmark.machine, benchmark.config.threads
    inputs = next((speed.inputs for speed in benchmark.runtimes if speed.inputs), {})
    used = plural("{count} thread", "{count} threads", threads)
    parts = [
        machine.cpu,
        plural("{count} core", "{count} cores", machine.cores),
        machine.system,
        used if threads == 1 else _("{threads}, the SavedModel 1", threads=used),
        *(f"{name}: {text}" for name, text in inputs.items()),
    ]
    return join_parts(filter(None, parts))


def sizes_of(config: BenchmarkConfig, smallest: int = 1) -> tuple[int, ...]:
    """The batch sizes to measure in ascending order, including the one for latency."""
    return tuple(sorted({smallest, *config.batch_sizes}))


def expected_seconds(config: BenchmarkConfig) -> float:
    """The estimated seconds of a benchmark of a small network with one conversion."""
    return len(available()) * (_START_SECONDS + config.seconds * len(sizes_of(config)))


def machine() -> Machine:
    """This machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(cpu=_cpu(), cores=cores, system=f"{platform.system()} {platform.machine()}")


def _cpu() -> str:
    """The processor's name, from /proc on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return name or platform.processor() or platform.machine()
