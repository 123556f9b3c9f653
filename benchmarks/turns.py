"""Side-by-side measurements: several workers take turns, and their ratios are reported.

A busy machine then slows all of them. Each repetition gives one ratio; the median, lowest and highest are reported.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from convnet_core.common.files import read_json, write_json
from convnet_core.runs.stage_record import now, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """A line of docs/PERFORMANCE.md: what was compared with what, the figure with its spread, and the target.

    `unit` is "×" for ratios (more is better), "s", "MB" or "%"; `detail` explains the figure.
    """

    what: str
    against: str
    value: float
    low: float
    high: float
    unit: str
    target: str
    met: bool | None
    detail: str = ""


def ratio(what: str, against: str, slow: Sequence[float], fast: Sequence[float], target: float, detail: str) -> Row:
    """How many times as fast, from seconds measured in turns."""
    ratios = [one / other for one, other in zip(slow, fast, strict=True)]
    median = statistics.median(ratios)
    return Row(what, against, median, min(ratios), max(ratios), "×", f"≥ {target:g} ×", median >= target, detail)


def seconds(what: str, values: Sequence[float], limit: float | None, detail: str = "") -> Row:
    """A row of seconds with an upper limit, or None."""
    median = statistics.median(values)
    target, met = ("–", None) if limit is None else (f"≤ {limit:g} s", median <= limit)
    return Row(what, "–", median, min(values), max(values), "s", target, met, detail)


class Worker:
    """A separate process that measures one thing on request, so that its setup does not affect other measurements.

    `prepare` is a module-level function that returns the measuring function; that one returns seconds.
    """

    def __init__(self, prepare: Callable[..., Callable[[int], Any]], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, inner = context.Pipe()
        self._process = context.Process(target=_serve, args=(inner, prepare, arguments))
        self._process.start()
        self._pipe.recv()

    def __call__(self, repetition: int) -> Any:
        """Measure once."""
        self._pipe.send(repetition)
        result = self._pipe.recv()
        if isinstance(result, Exception):
            raise result
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has failed
            self._pipe.send(None)
        self._process.join()


def _serve(pipe: Connection, prepare: Callable[..., Callable[[int], Any]], arguments: Sequence[Any]) -> None:
    function = prepare(*arguments)
    pipe.send("ready")
    while (repetition := pipe.recv()) is not None:
        try:
            pipe.send(function(repetition))
        except Exception as error:
            pipe.send(error)
            raise


def in_turns(workers: dict[str, Callable[[int], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each worker by name, without the first round, which warms up."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for repetition in range(repeats + 1):
        for name, worker in workers.items():
            value = worker(repetition)
            if repetition:
                times[name].append(value)
        print("  " + "   ".join(f"{name} {values[-1]:.4g} s" for name, values in times.items() if values), flush=True)
    return times


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def machine() -> str:
    """Processor, cores, system."""
    text = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    flags = fields.get("Flags", "").split()
    extra = ", ".join(flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags)
    name = fields.get("Model name", platform.processor()).strip()
    return f"{name} ({extra}), {fields.get('CPU(s)', '?').strip()} cores, {platform.system()}"


def merge_rows(name: str, rows: Sequence[Row]) -> list[Row]:
    """The earlier rows with these inserted: a row measured again replaces its predecessor."""
    before = load(name)
    earlier = {} if before is None else {item["what"]: Row(**item) for item in before["rows"]}
    return list({**earlier, **{row.what: row for row in rows}}.values())


def save(name: str, rows: Sequence[Row], charts: dict[str, Any] | None = None) -> None:
    """Write benchmarks/results/NAME.json, and print the rows."""
    content = {"date": now(), "machine": machine(), "versions": versions(), "rows": [asdict(row) for row in rows]}
    write_json(RESULTS / f"{name}.json", {**content, "charts": charts or {}})
    for row in rows:
        print(f"{row.what} / {row.against}: {row.value:.3g} {row.unit} ({row.low:.3g} to {row.high:.3g}), {row.target}")


def load(name: str) -> dict[str, Any] | None:
    """What `save` wrote; None if nothing has been measured yet."""
    path = RESULTS / f"{name}.json"
    return dict(read_json(path)) if path.is_file() else None
