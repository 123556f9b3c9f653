"""How fast the app answers, in a real browser: `python -m benchmarks.app`.

Prints a table: the first page after `streamlit run`, warm page changes, from a move of the pen to the answer, from a
training event to the screen, a graph of 2,000 nodes, and the server's memory with all runtimes loaded.
"""

from __future__ import annotations

import functools
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.large import large_graph, many_events, many_runs
from benchmarks.turns import Row, save
from benchmarks.waiting import MAIN, Line, timed, wait_for_element, wait_until_drawn
from convnet_core.events import Message, StageStarted
from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
from testing.browser import NO_TOUR, PAGES, ROOT, SEVEN, Server, launch, menu_link, settle

TOUR = [page.title() for page in (*PAGES[1:], PAGES[0])]
"""The titles of all pages; the measurement starts at Home."""

_STARTS = 5
_STROKES = 8
_MOVES = 30
_EVENTS = 10


def first_page(server: Server, page: Page) -> float:
    """Seconds from starting the server process to the first button. Stops the server afterwards."""
    start = time.monotonic()
    with server:
        page.goto(server.address)
        wait_for_element(page, "button", "Run the pipeline")
        seconds = time.monotonic() - start
        page.goto("about:blank")
    time.sleep(5)  # the server's check of the machine continues without it, and imports torch
    return seconds


def first_pages(root: Path, page: Page) -> Iterator[Line]:
    """The app's first page, without and with a run, and for comparison a Streamlit app with a single button."""
    bare, empty = root / "bare.py", root / "none"
    bare.write_text('import streamlit as st\n\nst.button("Run the pipeline")\n')
    rounds = []
    for _ in range(_STARTS + 1):  # each server has a new port, so the browser has cached nothing
        servers = Server(empty), Server(root), Server(root, bare)
        rounds.append([first_page(server, page) for server in servers])
    first, again, button = zip(*rounds[1:], strict=True)
    yield "first page after `streamlit run`, without a run", "≤ 2 s", list(first)
    yield "… with a finished run", "≤ 2 s", list(again)
    yield "… of an app that is one button and nothing else", "–", list(button)


def change_pages(page: Page) -> list[float]:
    """Seconds from a click in the menu to the drawn page: every page twice, after a warm-up round."""

    def visit(name: str) -> None:
        menu_link(page, name).click()
        title = "PyTorch → TensorFlow, proven equal" if name == "Home" else name
        wait_until_drawn(page, "h1", title)

    for name in TOUR:
        visit(name)
    page.wait_for_timeout(15_000)  # time for the sketchpad's runtimes to warm up
    return [timed(functools.partial(visit, name)) for _ in range(2) for name in TOUR]


_WATCH = """board => {
    window.answers = [];
    new MutationObserver(() => requestAnimationFrame(() => answers.push([Number(board.dataset.number), Date.now()])))
        .observe(board, {attributeFilter: ["data-number"]});
}"""
"""Record each answer of the pad: when the pen was where it answers to, and when it is on the screen, in ms."""


def strokes(page: Page, address: str, run: str) -> Iterator[Line]:
    """Answers while the pen moves: seconds from a move to the screen, and how many come a second."""
    page.goto(f"{address}/sketchpad?run={run}")
    pad = page.locator("canvas:visible").last
    pad.wait_for()
    settle(page)
    page.locator(".board").evaluate(_WATCH)
    box = pad.bounding_box()
    assert box
    rates = []
    for _ in range(_STROKES):
        before, start = page.evaluate("answers.length"), time.monotonic()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN[0]]
        page.mouse.move(*points[0])
        page.mouse.down()
        for (x, y), (right, bottom) in itertools.pairwise(points):
            for step in range(1, _MOVES + 1):  # a move a frame, as a mouse sends them
                page.mouse.move(x + (right - x) * step / _MOVES, y + (bottom - y) * step / _MOVES)
                page.wait_for_timeout(16)
        rates.append((page.evaluate("answers.length") - before) / (time.monotonic() - start))
        page.mouse.up()
        page.wait_for_timeout(500)
        page.get_by_role("button", name="Clear").click()
        page.wait_for_timeout(500)
    answers = page.evaluate("answers")
    yield "move of the pen to the answer on the screen", "≤ 0.15 s", [(seen - drawn) / 1000 for drawn, seen in answers]
    yield RATE, "≥ 5", rates


def strokes_in_server(run: Run) -> list[float]:
    """Seconds from a drawing to the answers of all runtimes, without a browser."""
    import numpy as np

    from convnet_core.data.drawing import prepare
    from convnet_core.runtimes.pool import RuntimePool

    paper = np.ones((280, 280), np.float32)
    paper[60:75, 80:200] = paper[60:220, 185:200] = 0
    pool = RuntimePool(run)
    pool.wait()
    times = [timed(lambda: pool.read(prepare(paper))) for _ in range(20)]
    pool.close()
    return times


def events(page: Page, address: str, root: Path) -> Iterator[float]:
    """Seconds from a job's event to the screen."""
    run = Run.create(root / "events")
    with open_job(run, "train") as job:
        job.emit(StageStarted(stage="train"))
        page.goto(f"{address}/train?run=events")
        wait_until_drawn(page, f"{MAIN} button", "Stop")
        for number in range(_EVENTS):
            time.sleep(0.37)  # a different phase of the page's half-second refresh each time
            job.emit(Message(text=f"event number {number}"))
            yield timed(functools.partial(wait_for_element, page, MAIN, f"event number {number}"))


RATE = "answers a second while the pen moves"
MEMORY = "memory of the server with all runtimes loaded"


def memory(pid: int) -> float:
    """Memory of a process and its children (the worker) in MB, counting shared pages once (PSS)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return _memory_without_children(pid) + sum(memory(int(child)) for child in children)


def _memory_without_children(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(root: Path) -> Iterator[Line]:
    """All lines: name, target and measured values."""
    subprocess.run(
        [sys.executable, "-m", "convnet_core", "pipeline", "--run", str(root / "demo")], cwd=ROOT, check=True
    )
    run = Run.open(root / "demo")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(NO_TOUR)
        yield from first_pages(root, page)
        server = Server(root)
        server.start()
        try:
            page.goto(server.address)
            yield "page change, warm", "≤ 0.3 s", change_pages(page)
            yield from strokes(page, server.address, "demo")
            yield MEMORY, "≤ 1,500 MB", [memory(server.process.pid)]
            yield "event of a training on the screen", "≤ 1 s", list(events(page, server.address, root))
            yield from large_graph(page, server.address, run, root)
            yield "Train page with 1,000,000 events", "≤ 2 s", list(many_events(page, server.address, root))
            yield "Runs with 1,000 runs", "≤ 2 s", many_runs(page, server.address, root)
        finally:
            server.stop()
        browser.close()
    yield "stroke to all answers, in the server", "≤ 0.15 s", strokes_in_server(run)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = list(measure(Path(folder)))
    print(f"{'what':<40}{'target':>10}{'median':>10}{'worst':>10}   seconds")
    for name, target, seconds in lines:
        print(f"{name:<40}{target:>10}{statistics.median(seconds):>10.3f}{max(seconds):>10.3f}   n={len(seconds)}")
    save("app", [_row(*line) for line in lines])


def _row(name: str, target: str, values: list[float]) -> Row:
    median, unit = statistics.median(values), {MEMORY: "MB", RATE: "1/s"}.get(name, "s")
    limit = float(target.split()[1].replace(",", "")) if " " in target else None
    met = None if limit is None else median >= limit if name == RATE else median <= limit
    return Row(name, "–", median, min(values), max(values), unit, target, met, f"{len(values)} times, in Chromium")


if __name__ == "__main__":
    main()
