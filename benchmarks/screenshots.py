"""Take screenshots of every page, light and dark: `python -m benchmarks.screenshots FOLDER [--docs]`.

Creates a run with the preset `sample`, benchmarks it, draws a 7, and writes two PNG files a page. With --docs, they
also go into docs/screenshots, in 256 colors and under 200 kB each; docs/SCREENSHOTS.md shows them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from testing.browser import NO_TOUR, PAGES, ROOT, SEVEN, Server, click_node, draw, launch, settle

_MOST_BYTES = 200_000
_HEIGHTS = {"home": 1000, "sketchpad": 1150, "export": 1250, "train": 1900, "data": 1400, "dissect": 1500}


def prepare(page: Page, name: str) -> None:
    """Bring a page into the state to show."""
    if name in ("home", "sketchpad"):
        page.locator("canvas").last.wait_for()
        draw(page, SEVEN)
        page.get_by_text("runtimes read 7").wait_for(timeout=60_000)
    if name == "export":
        click_node(page, "Conv")
    if name == "dissect":
        click_node(page, "Gemm")
    settle(page)
    page.wait_for_timeout(2500)  # charts and pictures load after the text


def take(folder: Path, runs: Path) -> list[Path]:
    """Take screenshots of all pages, light and dark."""
    paths = []
    with Server(runs) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            for name in PAGES:
                size = {"width": 1280, "height": _HEIGHTS.get(name, 1100)}
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.add_init_script(NO_TOUR)
                page.goto(f"{server.address}/{'' if name == 'home' else name}")
                page.get_by_role("heading", level=1).first.wait_for()
                prepare(page, name)
                paths.append(folder / f"{name}-{scheme}.png")
                page.screenshot(path=paths[-1])
                page.close()
        browser.close()
    return paths


def publish(pictures: list[Path]) -> None:
    """Write small versions of the screenshots for the docs."""
    for picture in pictures:
        small = ROOT / "docs" / "screenshots" / picture.name
        Image.open(picture).convert("RGB").quantize(256).save(small, optimize=True)
        assert small.stat().st_size < _MOST_BYTES, f"{small} is too large"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", action="store_true", help="also update docs/screenshots")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        run = Path(runs) / "my-first-run"
        for command in (["pipeline", "--preset", "sample"], ["dissect"], ["benchmark"]):
            subprocess.run([sys.executable, "-m", "convnet_core", *command, "--run", str(run)], cwd=ROOT, check=True)
        pictures = take(args.folder, Path(runs))
    if args.docs:
        publish(pictures)
    print("\n".join(map(str, pictures)))


if __name__ == "__main__":
    main()
