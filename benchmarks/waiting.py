"""Wait for a page in a real browser, and time that."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page

MAIN = "[data-testid=stMain]"
Line = tuple[str, str, list[float]]
"""What was measured, its target, and the values."""


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


_IS_VISIBLE = """([css, text]) => [...document.querySelectorAll(css)].some(element =>
    element.checkVisibility({visibilityProperty: true}) && element.textContent.includes(text))"""


def wait_for_element(page: Page, css: str, text: str = "") -> None:
    """Wait until an element containing a text is visible, checking on every frame.

    Playwright's `wait_for` backs off to checking every 500 ms, which would add to the measured times.
    """
    page.wait_for_function(_IS_VISIBLE, arg=[css, text], polling="raf", timeout=60_000)


def wait_until_drawn(page: Page, css: str, text: str = "") -> None:
    """Wait for the element and for the end of the page's script."""
    wait_for_element(page, css, text)
    wait_for_element(page, "[data-testid=stApp][data-test-script-state=notRunning]")
