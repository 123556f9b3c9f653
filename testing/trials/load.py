"""Many people use one server while a network trains: errors, waiting times, memory, and leaks after they leave.

The server shares its cores with the training and the visitors (people.py).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np

from convnet_core.jobs import watcher
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.run import Run
from testing.browser import PAGES, Server
from testing.trials.kills import ROOT
from testing.trials.lines import Line
from testing.trials.people import Seen, digit, person
from testing.trials.process_resources import ProcessResources, resident
from testing.trials.visitor import Visitor

_TOUR_SECONDS = 430.0  # 34 actions with their pauses
_MEMORY_SECONDS = 900.0  # long enough to tell whether memory grows
_WARM_UP_VISITORS = 6  # as many as the server has worker threads
# Seconds that the server keeps a disconnected session. Streamlit's default of 120 would take too long.
_SESSION_TTL = 10
_RELEASE_SECONDS = 150.0
_SAMPLE = 0.5


def slope(seconds: list[float], values: list[float], blocks: int = 12) -> tuple[float, float]:
    """The least-squares slope per minute and its standard error, fitted to the means of blocks.

    Neighboring memory samples are nearly equal; fitting single samples would greatly underestimate the error.
    """
    count = min(blocks, len(values) // 2)
    x = np.array([part.mean() for part in np.array_split(np.array(seconds) / 60, count)])
    y = np.array([part.mean() for part in np.array_split(np.array(values), count)])
    (gradient, intercept) = np.polyfit(x, y, 1)
    residual = y - (gradient * x + intercept)
    error = np.sqrt((residual @ residual) / max(1, count - 2) / ((x - x.mean()) @ (x - x.mean())))
    return float(gradient), float(error)


async def warm_up(server: Server) -> ProcessResources:
    """Open every page and every runtime once; returns the server's resources after these visitors have left.

    Each starts on a different page, so that sessions meet modules that another session is still importing.
    """
    seen = Seen()

    async def walk(number: int) -> None:
        async with Visitor(server.address, seen.errors) as visitor:
            for page in (*PAGES[number:], *PAGES[:number], "sketchpad"):
                await visitor.open(page, run="demo")
            for _ in range(240):
                if not visitor.repeating:
                    break
                await asyncio.sleep(0.5)
            await visitor.draw(digit(random.Random(0)))

    await asyncio.gather(*(walk(number) for number in range(_WARM_UP_VISITORS)))
    assert not seen.errors, seen.errors + server.tracebacks()
    for _ in range(2):  # twice, because idle pool threads take a while to end
        resources = await resources_after_visit(server)
    return resources


async def resources_after_visit(server: Server) -> ProcessResources:
    """The server's resources after one more visit, which makes it drop earlier sessions.

    Streamlit keeps disconnected sessions for a while and drops them only when another session ends.
    """
    await asyncio.sleep(_SESSION_TTL + 1)
    async with Visitor(server.address) as visitor:
        await visitor.open("home", run="demo")
    await asyncio.sleep(2)
    return ProcessResources.of(server.process.pid)


async def wait_for_release(server: Server, before: ProcessResources) -> tuple[str, float]:
    """Wait until the server has released its resources; returns what it has not released, and the seconds waited."""
    start = time.monotonic()
    while leaks := (await resources_after_visit(server)).excess_over(before):
        if time.monotonic() - start > _RELEASE_SECONDS:
            break
    return leaks, time.monotonic() - start


async def sample_memory(pid: int, until: float, seconds: list[float], values: list[float]) -> None:
    """Sample the memory of a process in MB until the time is over."""
    while time.monotonic() < until:
        seconds.append(time.monotonic())
        values.append(resident(pid))
        await asyncio.sleep(_SAMPLE)


async def visits(server: Server, seconds: float, visitors: int) -> list[Line]:
    """Let all visitors use the server; returns the table lines."""
    pid, seen = server.process.pid, Seen()
    before = await warm_up(server)
    times: list[float] = []
    memory: list[float] = []
    until = time.monotonic() + seconds
    people = (person(server, number, until, seen) for number in range(visitors))
    await asyncio.gather(sample_memory(pid, until, times, memory), *people)
    leaks, release_seconds = await wait_for_release(server, before)
    waits = [wait for values in seen.waits.values() for wait in values]
    p95 = percentile(waits, 95)
    slowest = sorted(seen.waits, key=lambda action: -percentile(seen.waits[action], 95))[:3]
    slowest_text = ", ".join(f"{action} {percentile(seen.waits[action], 95):.2f} s" for action in slowest)
    faults = seen.errors + server.tracebacks()
    kinds = Counter(faults).most_common(6)
    reruns = f"{len(waits):,} reruns, {len(seen.repeats):,} automatic ones"
    return [
        Line(
            f"{visitors} sessions browse, move sliders and draw while a network trains",
            f"{seconds:.0f} s, {reruns}",
            "; ".join(f"{count} × {text}" for text, count in kinds) or "no error",
            not faults and bool(waits),
        ),
        Line(
            "… from the action to the end of the rerun",
            f"{len(waits):,} reruns, {os.cpu_count()} cores",
            f"p50 {statistics.median(waits):.2f} s, p95 {p95:.2f} s; p95 of the slowest: {slowest_text}; "
            f"p95 of automatic reruns {percentile(seen.repeats, 95):.2f} s",
            p95 < 1,
        ),
        *_memory_line(times, memory),
        Line(
            "… threads, open files and child processes after all have left",
            f"before: {before}",
            f"not released after {release_seconds:.0f} s: {leaks}"
            if leaks
            else f"as before, after {release_seconds:.0f} s",
            not leaks,
        ),
    ]


def _memory_line(times: list[float], memory: list[float]) -> list[Line]:
    """How memory changed over 15 minutes after the tours; no line if the trial was shorter."""
    skip = sum(moment < times[0] + _TOUR_SECONDS for moment in times)
    times, memory = times[skip:], memory[skip:]
    if not times or times[-1] - times[0] < _MEMORY_SECONDS:
        return []
    gradient, error = slope(times, memory)
    return [
        Line(
            f"… the server's memory after the first {_TOUR_SECONDS:.0f} s",
            f"{len(memory)} samples",
            f"{gradient:+.2f} ± {error:.2f} MB a minute, from {statistics.mean(memory[:9]):.0f} MB to "
            f"{statistics.mean(memory[-9:]):.0f} MB",
            gradient <= 2 * error,
        )
    ]


def percentile(values: list[float], share: float) -> float:
    """The percentile `share` of the values; 0 without values."""
    return float(np.percentile(values, share)) if values else 0.0


def make_demo(folder: Path) -> None:
    """Create a run with content for every page."""
    for command in ("pipeline", "dissect"):
        arguments = [sys.executable, "-m", "convnet_core", command, "--run", str(folder)]
        subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True)


def _end(job: JobView) -> None:
    job.stop()
    while job.info.live:
        time.sleep(0.2)


def trial(seconds: float, visitors: int = 50, demo: Callable[[Path], object] = make_demo) -> list[Line]:
    """Run the visitors against a finished run, which `demo` creates, and a second run with a training in progress."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        demo(root / "demo")
        run = Run.create(root / "training")
        with (
            patch.dict(os.environ, STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL=str(_SESSION_TTL)),
            Server(root) as server,
        ):
            job = watcher.start(run, ["train", "--preset", "accurate", "--epochs", "1000", "--device", "cpu"])
            try:
                progress, deadline = JobProgress(job), time.monotonic() + 120
                while not progress.metrics:
                    assert job.info.live, job.log()
                    assert time.monotonic() < deadline, job.log()
                    time.sleep(0.5)
                    progress.update()
                lines = asyncio.run(visits(server, seconds, visitors))
                assert job.info.live, f"the training ended: {job.info.error}"
            finally:
                _end(job)
    return lines
