"""A real server and a real browser: the first visit, one button, the verdict."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH")]


@pytest.fixture
def server(tmp_path):
    """The address of the app, with runs of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    env = {**os.environ, "CONVNET_RUNS_DIR": str(tmp_path / "runs")}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=5)
            break
        except OSError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_a_page_can_be_the_first_that_a_new_server_is_asked_for(server, page):
    page.goto(f"{server}/compare")
    page.get_by_text("The home page makes one with one button").wait_for(timeout=30_000)
    links = [link.inner_text().splitlines()[-1] for link in page.get_by_test_id("stSidebarNavLink").all()]
    assert links == ["Home", "Compare"]
    page.get_by_role("link", name="Go to Home").click()
    page.get_by_role("button", name="Run the pipeline").wait_for(timeout=30_000)


def test_one_button_from_the_first_visit_to_the_verdict(server, page):
    page.goto(server)
    page.get_by_role("button", name="Run the pipeline").click()
    page.wait_for_url("**run=*", timeout=30_000)
    page.get_by_role("button", name="Stop").wait_for(timeout=30_000)
    page.reload()  # the job goes on, and is found again
    page.get_by_role("button", name="Stop").wait_for(timeout=30_000)
    page.get_by_text("All runtimes agree with pytorch.").wait_for(timeout=300_000)
    page.get_by_role("button", name="Download the report").wait_for(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "Traceback" not in page.content()
