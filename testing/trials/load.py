"""Many people before one server while a network trains: errors, how long they wait, memory, what is left when they go.

Each is a `Visitor` that looks at runs, moves sliders and draws, with a person's pauses. The server shares its cores
with the training and with the visitors themselves.
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
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
from streamlit.proto.Slider_pb2 import Slider

from convnet_core.jobs import watcher
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.runs.run import Run
from testing.browser import Server
from testing.drawings import DIGITS
from testing.trials.held import Held, resident
from testing.trials.kills import ROOT
from testing.trials.lines import Line
from testing.trials.visitor import Stroke, Visitor

PAGES = ("home", "data", "train", "export", "convert", "compare", "dissect", "benchmark", "sketchpad")
_PAUSE = 10.0  # seconds between two acts of a person, on average
_TOUR_SECONDS = 430.0  # of 34 acts, with their waits
_WATCHED = 900.0  # seconds that tell whether memory grows
_FIRST = 6  # visitors that warm the server up: as many as it has threads to hand work to
_KEPT = 10  # seconds for which the server keeps the session of a lost connection; Streamlit's own 120 are long to wait
_LEAVE = 150.0
_EACH_WATCHES = 25  # one visitor of so many watches the training and nothing else
_SAMPLE = 0.5


@dataclass
class Seen:
    """What the visitors met."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    repeats: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, what: str, seconds: float) -> None:
        self.waits.setdefault(what, []).append(seconds)


def slope(seconds: list[float], values: list[float], blocks: int = 12) -> tuple[float, float]:
    """The least-squares slope per minute and its standard error.

    Of the means of blocks: neighbouring samples of memory are nearly the same, and taken one by one would make the
    error look far smaller than it is.
    """
    count = min(blocks, len(values) // 2)
    x = np.array([part.mean() for part in np.array_split(np.array(seconds) / 60, count)])
    y = np.array([part.mean() for part in np.array_split(np.array(values), count)])
    (gradient, offset) = np.polyfit(x, y, 1)
    left = y - (gradient * x + offset)
    error = np.sqrt((left @ left) / max(1, count - 2) / ((x - x.mean()) @ (x - x.mean())))
    return float(gradient), float(error)


def digit(luck: random.Random) -> list[Stroke]:
    """Strokes of a digit as somebody draws it."""
    strokes = luck.choice(DIGITS[luck.randrange(10)])
    size, x, y = luck.uniform(0.4, 0.7), luck.uniform(0.1, 0.3), luck.uniform(0.1, 0.3)
    return [[(x + size * point[0], y + size * point[1]) for point in stroke] for stroke in strokes]


async def tour(visitor: Visitor, luck: random.Random, seen: Seen) -> AsyncIterator[None]:
    """Every page once, every slider on it, and the pad: one act at a time."""
    for page in luck.sample(PAGES, len(PAGES)):
        seen.add(page, await visitor.open(page))
        yield
        for label in visitor.sliders():
            if slider := visitor.sliders().get(label):  # another one may have taken it away
                await move(visitor, slider, luck, seen)
                yield
        if page == "sketchpad":
            await draw(visitor, luck, seen)
            yield


async def act(visitor: Visitor, luck: random.Random, seen: Seen) -> None:
    """One act: go to a page, move a slider of the page, or draw on its pad."""
    sliders = list(visitor.sliders().values())
    what = luck.choice(("page", "slider", "draw"))
    if what == "draw" and visitor.page == "sketchpad":
        await draw(visitor, luck, seen)
    elif what == "page" or not sliders:
        page = luck.choice(PAGES)
        seen.add(page, await visitor.open(page))
    else:
        await move(visitor, luck.choice(sliders), luck, seen)


async def draw(visitor: Visitor, luck: random.Random, seen: Seen) -> None:
    """Draw a digit on the sketchpad."""
    seen.add("sketchpad, a drawing", await visitor.draw(digit(luck)))


async def move(visitor: Visitor, slider: Slider, luck: random.Random, seen: Seen) -> None:
    """Put a slider of the page anywhere."""
    steps = list(slider.options)
    count = int((slider.max - slider.min) / slider.step + 1e-9)
    value = luck.choice(steps) if steps else slider.min + slider.step * luck.randint(0, count)
    seen.add(f"{visitor.page}, a slider", await visitor.move_slider(slider.label, value))


async def person(server: Server, number: int, until: float, seen: Seen) -> None:
    """One visitor from coming to leaving; an error is noted, and the person tries again with a new session.

    First the whole tour: Streamlit keeps the state of each widget that a session has ever used, and the pad its
    drawing, so that sessions grow until then and no longer.
    """
    luck = random.Random(number)
    watching = number % _EACH_WATCHES == 0
    await asyncio.sleep(luck.uniform(0, min(_PAUSE, (until - time.monotonic()) / 4)))
    while time.monotonic() < until:
        visitor = Visitor(server.address, seen.errors, seen.repeats)
        try:
            async with visitor:
                first = "train" if watching else luck.choice(PAGES)
                seen.add(first, await visitor.open(first, run="training" if watching else "demo"))
                touring = tour(visitor, luck, seen)
                while (left := until - time.monotonic()) > 0:
                    await asyncio.sleep(min(left, max(1.0, luck.expovariate(1 / _PAUSE))))
                    if watching or time.monotonic() >= until:
                        continue
                    if await anext(touring, "done") == "done":
                        await act(visitor, luck, seen)
        except Exception as error:
            seen.errors.append(f"{visitor.page}: {type(error).__name__}: {error}")


async def warm(server: Server) -> Held:
    """Open every page and every runtime once; what the server holds when these visitors have left.

    Each begins with another page: what one session imports for the first time, another one meets half imported.
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

    await asyncio.gather(*(walk(number) for number in range(_FIRST)))
    assert not seen.errors, seen.errors + server.tracebacks()
    for _ in range(2):  # once more: the threads of a pool end when they have had nothing to do for a while
        held = await passed_by(server)
    return held


async def passed_by(server: Server) -> Held:
    """What the server holds after somebody has come and gone, and the sessions before that one are put away.

    Streamlit keeps the session of a lost connection for some time, and puts it away only when another one ends.
    """
    await asyncio.sleep(_KEPT + 1)
    async with Visitor(server.address) as visitor:
        await visitor.open("home", run="demo")
    await asyncio.sleep(2)
    return Held.of(server.process.pid)


async def back(server: Server, before: Held) -> tuple[str, float]:
    """Wait until the server holds no more than before; what it still holds, and how long that took."""
    began = time.monotonic()
    while left := (await passed_by(server)).beyond(before):
        if time.monotonic() - began > _LEAVE:
            break
    return left, time.monotonic() - began


async def weigh(pid: int, until: float, seconds: list[float], values: list[float]) -> None:
    """Note the memory of a process again and again."""
    while time.monotonic() < until:
        seconds.append(time.monotonic())
        values.append(resident(pid))
        await asyncio.sleep(_SAMPLE)


async def visits(server: Server, seconds: float, visitors: int) -> list[Line]:
    """All visitors, and what came of them."""
    pid, seen = server.process.pid, Seen()
    before = await warm(server)
    times: list[float] = []
    memory: list[float] = []
    until = time.monotonic() + seconds
    people = (person(server, number, until, seen) for number in range(visitors))
    await asyncio.gather(weigh(pid, until, times, memory), *people)
    left, took = await back(server, before)
    waits = [wait for found in seen.waits.values() for wait in found]
    p95 = percentile(waits, 95)
    slowest = sorted(seen.waits, key=lambda what: -percentile(seen.waits[what], 95))[:3]
    named = ", ".join(f"{what} {percentile(seen.waits[what], 95):.2f} s" for what in slowest)
    faults = seen.errors + server.tracebacks()
    kinds = Counter(faults).most_common(6)
    reruns = f"{len(waits):,} reruns, {len(seen.repeats):,} more of fragments that repeat"
    return [
        Line(
            f"{visitors} sessions look, move sliders and draw while one trains",
            f"{seconds:.0f} s, {reruns}",
            "; ".join(f"{count} × {text}" for text, count in kinds) or "no error",
            not faults and bool(waits),
        ),
        Line(
            "… from the act to the end of the rerun",
            f"{len(waits):,} reruns, {os.cpu_count()} cores",
            f"p50 {statistics.median(waits):.2f} s, p95 {p95:.2f} s; p95 of the slowest: {named}; "
            f"p95 of what repeats {percentile(seen.repeats, 95):.2f} s",
            p95 < 1,
        ),
        *_memory_line(times, memory),
        Line(
            "… threads, open files and children once all have left",
            f"before: {before}",
            f"left after {took:.0f} s: {left}" if left else f"as before, after {took:.0f} s",
            not left,
        ),
    ]


def _memory_line(times: list[float], memory: list[float]) -> list[Line]:
    """What the memory did over 15 minutes after the tours; nothing where the trial was shorter."""
    after = sum(moment < times[0] + _TOUR_SECONDS for moment in times)
    times, memory = times[after:], memory[after:]
    if not times or times[-1] - times[0] < _WATCHED:
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
    """A percentile; of nothing it is 0."""
    return float(np.percentile(values, share)) if values else 0.0


def make_demo(folder: Path) -> None:
    """A run with something to see on every page."""
    for command in ("pipeline", "dissect"):
        arguments = [sys.executable, "-m", "convnet_core", command, "--run", str(folder)]
        subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True)


def trial(seconds: float, visitors: int = 50, demo: Callable[[Path], object] = make_demo) -> list[Line]:
    """A finished run, a training at work in another one, and the visitors; `demo` makes the finished one."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        demo(root / "demo")
        run = Run.create(root / "training")
        with patch.dict(os.environ, STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL=str(_KEPT)), Server(root) as server:
            job = watcher.start(run, ["train", "--preset", "accurate", "--epochs", "1000", "--device", "cpu"])
            try:
                told, deadline = JobProgress(job), time.monotonic() + 120
                while not told.metrics:
                    assert job.info.live, job.log()
                    assert time.monotonic() < deadline, job.log()
                    time.sleep(0.5)
                    told.update()
                lines = asyncio.run(visits(server, seconds, visitors))
                assert job.info.live, f"the training ended: {job.info.error}"
            finally:
                job.stop()
                while job.info.live:
                    time.sleep(0.2)
    return lines
