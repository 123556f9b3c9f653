"""Record the README's animation: `python -m benchmarks.animation`.

Trains the preset `fast`, draws a 7 on the sketchpad, and writes docs/screenshots/sketchpad.gif: the stroke and every
runtime's answer.
"""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from testing.browser import ROOT, SEVEN, Server, launch, settle

TARGET = ROOT / "docs" / "screenshots" / "sketchpad.gif"
_MOST_BYTES = 2_000_000
_SIZE = {"width": 1000, "height": 900}
_STEPS = 8
"""Number of frames for each straight part of the stroke."""
_STROKE_MS, _ANSWER_MS = 80, 2500


def frames(page: Page) -> list[tuple[bytes, int]]:
    """PNG screenshots of the page while a 7 is drawn, each with its duration in milliseconds."""
    pad = page.locator("canvas").last
    pad.wait_for()
    settle(page)
    box = pad.bounding_box()
    assert box
    result = [(page.screenshot(), 800)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN[0]]
    page.mouse.move(*points[0])
    page.mouse.down()
    for before, after in itertools.pairwise(points):
        for step in range(1, _STEPS + 1):
            part = step / _STEPS
            page.mouse.move(*(a + part * (b - a) for a, b in zip(before, after, strict=True)), steps=3)
            result.append((page.screenshot(), _STROKE_MS))
    page.mouse.up()
    page.get_by_text("runtimes read 7").wait_for(timeout=60_000)
    page.wait_for_timeout(1500)  # charts arrive after the text
    return [*result, (page.screenshot(), _ANSWER_MS)]


def save(pictures: list[tuple[bytes, int]]) -> None:
    """Write the pictures as an animated GIF."""
    images = [Image.open(io.BytesIO(data)).convert("RGB").quantize(128) for data, _ in pictures]
    durations = [milliseconds for _, milliseconds in pictures]
    images[0].save(TARGET, save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=True)
    assert TARGET.stat().st_size < _MOST_BYTES, f"{TARGET} is too large"


def main() -> None:
    with tempfile.TemporaryDirectory() as runs:
        run = Path(runs) / "my-first-run"
        subprocess.run([sys.executable, "-m", "convnet_core", "pipeline", "--run", str(run)], cwd=ROOT, check=True)
        with Server(Path(runs)) as server, sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport=_SIZE, color_scheme="light")
            page.goto(f"{server.address}/sketchpad")
            page.get_by_role("heading", level=1).first.wait_for()
            pictures = frames(page)
            browser.close()
    save(pictures)
    print(TARGET)


if __name__ == "__main__":
    main()
