"""Screenshots of every page: `python -m benchmarks.screenshots FOLDER [--docs]`.

Light, dark, on a phone, and in Chinese. Makes two runs in each language, the second with the preset `sample`, dissects
and measures it, draws a 7, and writes a PNG file for each page and variant. With --docs, they also go into
docs/screenshots, in 256 colors and under 200 kB each; docs/SCREENSHOTS.md shows them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from convnet_core.language import VARIABLE
from testing.browser import NO_TOUR, PAGES, ROOT, SEVEN, Server, click_node, draw, launch, settle

_MOST_BYTES = 200_000
_WIDTH, _HEIGHT = 1280, 1100
_HEIGHTS = {"home": 1000, "sketchpad": 1150, "export": 1250, "train": 1000, "data": 1400, "dissect": 1500}
_PHONE: ViewportSize = {"width": 390, "height": 844}
_ADDRESSES = {"home": "", "lessons": "dissect?lesson=all", "runs": "runs?run=second&with=first"}
_READ_7 = {"en": "runtimes read 7", "zh": "种运行时都读作 7"}
_COMMANDS = {
    "first": (["pipeline", "--preset", "fast"],),
    "second": (["pipeline", "--preset", "sample"], ["dissect"], ["benchmark"]),
}


@dataclass(frozen=True)
class Variant:
    """One way to see all pages."""

    name: str
    language: str = "en"
    scheme: Literal["light", "dark"] = "light"
    phone: bool = False


VARIANTS = (
    Variant("light"),
    Variant("dark", scheme="dark"),
    Variant("phone", phone=True),
    Variant("chinese", language="zh"),
)


def make_runs(runs: Path, language: str) -> None:
    """Make both runs, as jobs in this language."""
    for name, commands in _COMMANDS.items():
        for command in commands:
            arguments = [sys.executable, "-m", "convnet_core", *command, "--run", str(runs / name)]
            subprocess.run(arguments, cwd=ROOT, env={**os.environ, VARIABLE: language}, check=True)


def prepare(page: Page, name: str, variant: Variant) -> None:
    """Bring a page into the state to show."""
    if name in ("home", "sketchpad"):
        page.locator("canvas").last.wait_for()
        draw(page, SEVEN)
        page.get_by_text(_READ_7[variant.language]).wait_for(timeout=60_000)
    if name == "export" and not variant.phone:
        click_node(page, "Conv")
    if name == "dissect" and not variant.phone:
        click_node(page, "Gemm")
    settle(page)
    page.wait_for_timeout(2500)  # charts and pictures load after the text


def take(browser: Browser, address: str, variant: Variant, folder: Path) -> Iterator[Path]:
    """Take a screenshot of each page, and of the gallery of lessons."""
    for name in (*PAGES, "lessons"):
        size: ViewportSize = _PHONE if variant.phone else {"width": _WIDTH, "height": _HEIGHTS.get(name, _HEIGHT)}
        locale = "zh-CN" if variant.language == "zh" else "en-US"
        page = browser.new_page(viewport=size, color_scheme=variant.scheme, locale=locale, has_touch=variant.phone)
        page.add_init_script(NO_TOUR)
        page.goto(f"{address}/{_ADDRESSES.get(name, name)}")
        page.get_by_role("heading", level=1).first.wait_for()
        prepare(page, name, variant)
        path = folder / f"{name}-{variant.name}.png"
        page.screenshot(path=path)
        page.close()
        yield path


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
    pictures: list[Path] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = launch(playwright)
        for language in sorted({variant.language for variant in VARIANTS}):
            runs = Path(name) / language
            make_runs(runs, language)
            with Server(runs) as server:
                for variant in VARIANTS:
                    if variant.language == language:
                        pictures += take(browser, server.address, variant, args.folder)
        browser.close()
    if args.docs:
        publish(pictures)
    print("\n".join(map(str, pictures)))


if __name__ == "__main__":
    main()
