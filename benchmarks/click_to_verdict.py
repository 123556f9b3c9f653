"""From the click on "Run the pipeline" to the verdict, in turns with another version of the project.

python -m benchmarks.click_to_verdict --before CHECKOUT [--repeats 5] [--only click command]

CHECKOUT is a folder with that version. `click` has the app, a browser and the pipeline on the same cores, with each
version's own sample settings; `command` is `pipeline --preset fast` without the app. Digits come from the cache. The
first round warms up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.turns import Row, in_turns, merge_rows, ratio, save, seconds
from testing.browser import NO_TOUR, ROOT, Server, launch

STAGES = ("train", "export", "convert", "compare")


class Version:
    """A checkout, and the seconds of each stage of its pipelines."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.runs = root, folder
        self.stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
        folder.mkdir()

    def read_stages(self, repetition: int) -> None:
        """Add the stages of the newest run, except for the first, which warms up."""
        path = max(self.runs.glob("*/jobs/*/events.jsonl"), key=lambda file: file.stat().st_mtime)
        for event in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if repetition and event["kind"] == "stage-done":
                self.stages[event["stage"]].append(event["seconds"])

    def command(self, repetition: int) -> float:
        """Seconds of `pipeline --preset fast`, the whole process."""
        command = [sys.executable, "-m", "convnet_core", "pipeline", "--preset", "fast", "--runs", str(self.runs)]
        start = time.perf_counter()
        subprocess.run(command, cwd=self.root, capture_output=True, check=True)
        elapsed = time.perf_counter() - start
        self.read_stages(repetition)
        return elapsed

    def click(self, page: Page, repetition: int) -> float:
        """Seconds from the click to the verdict on the screen, on a server without runs."""
        with tempfile.TemporaryDirectory(dir=self.runs.parent) as name:
            empty, self.runs = Path(name), Path(name)
            with Server(empty, self.root / "app.py", self.root) as server:
                page.goto(server.address)
                button = page.get_by_role("button", name="Run the pipeline")
                button.wait_for()
                page.wait_for_timeout(8000)  # the server's check of the machine imports torch
                start = time.perf_counter()
                button.click()
                page.get_by_text("runtimes agree").first.wait_for(timeout=600_000)
                elapsed = time.perf_counter() - start
                page.goto("about:blank")
            self.read_stages(repetition)
        return elapsed


def measure(
    name: str, measured: Callable[[Version, int], float], before: Version, now: Version, repeats: int
) -> list[Row]:
    """The seconds of both versions, and how many times as fast this one is."""
    turns = {"before": lambda number: measured(before, number), "now": lambda number: measured(now, number)}
    times = in_turns(turns, repeats)
    detail = f"{statistics.median(times['before']):.1f} s against {statistics.median(times['now']):.1f} s"
    return [
        seconds(f"{name}, before", times["before"], None, _stages(before)),
        seconds(name, times["now"], None, _stages(now)),
        ratio(f"{name}, speed", "the version before", times["before"], times["now"], 2, detail),
    ]


def _stages(version: Version) -> str:
    parts = [f"{name} {statistics.median(values):.1f}" for name, values in version.stages.items() if values]
    return f"stages: {', '.join(parts)} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=("click", "command"), default=("click", "command"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["CONVNET_CACHE_DIR"] = f"{name}/cache"  # other trainings on this machine do not lock these
        for part in args.only:
            before = Version(args.before.resolve(), Path(name) / f"{part}-before")
            now = Version(ROOT, Path(name) / f"{part}-now")
            if part == "command":
                rows = measure("pipeline, preset `fast`, whole process", Version.command, before, now, args.repeats)
            else:
                with sync_playwright() as playwright:
                    page = launch(playwright).new_page(viewport={"width": 1280, "height": 720})
                    page.add_init_script(NO_TOUR)

                    def click(version: Version, number: int, page: Page = page) -> float:
                        return version.click(page, number)

                    title = "from the click to the verdict, sample pipeline"
                    rows = measure(title, click, before, now, args.repeats)
            save("click_to_verdict", merge_rows("click_to_verdict", rows))


if __name__ == "__main__":
    main()
