"""A real server with its own runs folder, and a real browser."""

import os
import signal
from pathlib import Path

import pytest

from convnet_core.jobs.watcher import current
from convnet_core.runs.library import list_runs
from testing.browser import CHROMIUM, NO_TOUR, Server, launch

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Record a failure, so that `new_page` can take a screenshot."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


def pytest_collection_modifyitems(items):
    """Skip browser tests if there is no browser."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH"))


@pytest.fixture
def server(tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir(exist_ok=True)
    with Server(runs) as server:
        yield server
    for run in list_runs(runs):  # jobs outlive the server, and a failed test may leave one running
        job = current(run)
        if job and job[1].live and job[1].pid:
            os.kill(job[1].pid, signal.SIGKILL)


@pytest.fixture(scope="module")  # Playwright keeps an event loop in this thread; other modules need theirs
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser, request):
    """A function that opens a page for a new visitor. After a failure, screenshots go to $CONVNET_SCREENSHOTS."""
    contexts = []

    def open_page(tour=False, **options):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        if not tour:
            contexts[-1].add_init_script(NO_TOUR)
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        return page

    yield open_page
    failed = request.node.stash.get(_FAILED, False)
    for number, context in enumerate(contexts):
        for page in context.pages if failed and (folder := os.environ.get("CONVNET_SCREENSHOTS")) else ():
            page.screenshot(path=Path(folder) / f"{request.node.name}-{number}.png")
        context.close()


@pytest.fixture
def page(new_page):
    return new_page()
