"""How the app bears much of something: a graph of 2,000 nodes, 1,000,000 events, 1,000 runs. A part of `app`."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
from playwright.sync_api import Page

from benchmarks.waiting import MAIN, Line, timed, wait_for_element, wait_until_drawn
from convnet_core.common.files import write_json
from convnet_core.events import Metrics, StageStarted
from convnet_core.graphs import from_onnx
from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
from testing.browser import settle

_NODES = 2000
_MANY = 1_000_000


def large_graph(page: Page, address: str, run: Run, root: Path) -> Iterator[Line]:
    """A graph of 2,000 nodes on the Export page: seconds until it is drawn, and how smoothly it moves."""
    nodes = [
        onnx.helper.make_node("Relu", [f"t{max(0, i - 1 - i % 3)}"], [f"t{i}"], f"relu{i}") for i in range(1, _NODES)
    ]
    ports = [onnx.helper.make_tensor_value_info(name, 1, [None, 8]) for name in ("t0", f"t{_NODES - 1}")]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "large", ports[:1], ports[1:]))
    times = []
    for number in range(5):  # each time another graph, which the server has not laid out yet
        copy = Path(shutil.copytree(run.path, root / f"large{number}"))
        model.graph.name = f"large{number}"
        write_json(copy / "export" / "graph.json", from_onnx.read(model).to_json())
        start = time.monotonic()
        page.goto(f"{address}/export?run=large{number}")
        wait_for_element(page, "h1", "Export")
        page.locator("canvas.view[data-drawn]").wait_for()
        times.append(time.monotonic() - start)
    yield "Export page with 2,000 nodes", "≤ 2 s", times
    settle(page)
    yield "a frame while 2,000 nodes move, readable", "≤ 0.034 s", frames(page)
    page.get_by_role("button", name="Show the whole graph").click()
    page.wait_for_timeout(500)
    yield "a frame while 2,000 nodes move, all in view", "≤ 0.034 s", frames(page)


_RECORD = """() => {
    window.frames_ = [];
    let last = performance.now();
    const record = now => { frames_.push((now - last) / 1000); last = now; requestAnimationFrame(record); };
    requestAnimationFrame(record);
}"""


def frames(page: Page) -> list[float]:
    """Seconds from frame to frame while the graph is dragged up and down."""
    page.locator("canvas.view").scroll_into_view_if_needed()
    box = page.locator("canvas.view").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(_RECORD)
    for step in range(120):
        page.mouse.move(x + step, y - 8 * (step if step < 60 else 120 - step) / 4)
    times = page.evaluate("window.frames_.slice(2)")
    page.mouse.up()
    return list(times)


def many_events(page: Page, address: str, root: Path) -> Iterator[float]:
    """Seconds to open the Train page of a running training that has recorded 1,000,000 events."""
    run = Run.create(root / "million")
    metrics = Metrics(
        epoch=0, step=0, total_steps=_MANY, loss=1, accuracy=0.9, learning_rate=0.1, images_per_second=1, seconds_left=1
    )
    with open_job(run, "train") as job:
        job.emit(StageStarted(stage="train"))
        line = json.dumps(metrics.to_json())
        with (job.folder / "events.jsonl").open("a") as file:
            for step in range(_MANY):
                file.write(
                    line.replace('"step": 0', f'"step": {step}').replace('"epoch": 0', f'"epoch": {step / 1000}')
                )
                file.write("\n")
        for _ in range(5):
            page.goto("about:blank")
            yield timed(lambda: _open_charts(page, f"{address}/train?run=million"))


def _open_charts(page: Page, address: str) -> None:
    page.goto(address)
    wait_for_element(page, "[data-testid=live-curves]")
    wait_for_element(page, f"{MAIN} button", "Stop")


def many_runs(page: Page, address: str, root: Path) -> list[float]:
    """Seconds to open the list of runs with 1,000 runs."""
    for number in range(1000):
        Run.create(root / f"run{number:04}")

    def opened() -> None:
        page.goto(f"{address}/runs?run=demo")
        wait_until_drawn(page, "h1", "Runs")

    return [timed(opened) for _ in range(5)]
