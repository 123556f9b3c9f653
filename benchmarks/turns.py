"""Measurements side by side: several things take turns, and what counts are their ratios.

A busy machine is then busy for all of them. Each repetition gives one ratio; reported are the middle one and the
lowest and highest.
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
    """A line of docs/PERFORMANCE.md: what was measured against what, the figure with its spread, and the target.

    `unit` is "×" for ratios (more is better), "s", "MB" or "%"; `detail` says what lies behind it.
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
    """How many times as fast, from seconds that were measured in turns."""
    found = [one / other for one, other in zip(slow, fast, strict=True)]
    middle = statistics.median(found)
    return Row(what, against, middle, min(found), max(found), "×", f"≥ {target:g} ×", middle >= target, detail)


def seconds(what: str, found: Sequence[float], most: float | None, detail: str = "") -> Row:
    """Seconds against a limit; None where there is none."""
    middle = statistics.median(found)
    target, met = ("–", None) if most is None else (f"≤ {most:g} s", middle <= most)
    return Row(what, "–", middle, min(found), max(found), "s", target, met, detail)


class Worker:
    """A process of its own that measures one thing whenever it is asked: what it sets up changes nobody else's speed.

    `prepare` is a module's function that returns the function to be measured; that returns seconds.
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
    """Seconds of each, by name; the first round warms up and is left out."""
    found: dict[str, list[float]] = {name: [] for name in workers}
    for repetition in range(repeats + 1):
        for name, worker in workers.items():
            value = worker(repetition)
            if repetition:
                found[name].append(value)
        print("  " + "   ".join(f"{name} {values[-1]:.4g} s" for name, values in found.items() if values), flush=True)
    return found


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def machine() -> str:
    """Processor, cores, system."""
    text = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    flags = fields.get("Flags", "").split()
    extra = ", ".join(flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags)
    name = fields.get("Model name", platform.processor()).strip()
    return f"{name} ({extra}), {fields.get('CPU(s)', '?').strip()} cores, {platform.system()}"


def merged(name: str, rows: Sequence[Row]) -> list[Row]:
    """These rows among those that were measured before, each in its old place."""
    before = load(name)
    kept = {} if before is None else {item["what"]: Row(**item) for item in before["rows"]}
    return list({**kept, **{row.what: row for row in rows}}.values())


def save(name: str, rows: Sequence[Row], charts: dict[str, Any] | None = None) -> None:
    """Write benchmarks/results/NAME.json, and print the rows."""
    content = {"date": now(), "machine": machine(), "versions": versions(), "rows": [asdict(row) for row in rows]}
    write_json(RESULTS / f"{name}.json", {**content, "charts": charts or {}})
    for row in rows:
        print(f"{row.what} / {row.against}: {row.value:.3g} {row.unit} ({row.low:.3g} to {row.high:.3g}), {row.target}")


def load(name: str) -> dict[str, Any] | None:
    """What `save` wrote; None where nothing was measured yet."""
    path = RESULTS / f"{name}.json"
    return dict(read_json(path)) if path.is_file() else None
