"""A real server of the app and a real browser: for the browser tests, the measurements and the screenshots."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Server:
    """The app on a port of its own; can be ended and started again at the same address."""

    def __init__(self, runs: Path, app: Path = ROOT / "app.py"):
        self.runs, self.app = runs, app
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it is open as long as the server is

    def start(self):
        command = [sys.executable, "-m", "streamlit", "run", str(self.app), "--server.port", str(self.port)]
        # Streamlit 1.67 prints stack traces by rich, to stdout and in a frame, where rich is installed
        env = {**os.environ, "CONVNET_RUNS_DIR": str(self.runs), "STREAMLIT_LOGGER_ENABLE_RICH": "false"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=self._log)
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5)
                return
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def tracebacks(self):
        """The last two lines of each stack trace in its log: the page itself shows none of it."""
        self._log.seek(0)
        text = self._log.read().decode(errors="replace")
        traces = re.findall(r"^Traceback .*\n(?:[ \t|].*\n|\n)*\S.*", text, re.MULTILINE)
        return [" ".join(trace.splitlines()[-2:]) for trace in traces]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def launch(playwright):
    """Debian's Chromium; Playwright's own is not everywhere to be had."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


def settle(page):
    """Wait until the page has been drawn whole."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)


def stop_button(page):
    """The button that stops a job; Streamlit's own toolbar has a Stop too, while a script runs.

    The first: for a moment the old one may stand beside it, while a page whose parts have moved is drawn anew.
    """
    return page.get_by_test_id("stMain").get_by_role("button", name="Stop").first


def draw(page, strokes):
    """Draw with the mouse on the pad; strokes are lists of (x, y) from 0 to 1 of its width and height."""
    pad = page.locator("canvas").last
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=12)
        page.mouse.up()


SEVEN = [[(0.28, 0.25), (0.72, 0.25), (0.45, 0.8)]]


_POINT = """name => {
    const plot = document.querySelector('.js-plotly-plot');
    const trace = plot._fullData.find(data => (data.name || '').startsWith(name));
    const box = plot.getBoundingClientRect(), layout = plot._fullLayout;
    return [box.left + layout._size.l + layout.xaxis.c2p(trace.x[0]),
            box.top + layout._size.t + layout.yaxis.c2p(trace.y[0])];
}"""


def click_node(page, op):
    """Click the first node of an operation in the graph of the page Export."""
    page.locator(".js-plotly-plot .scatterlayer").wait_for()
    settle(page)
    page.wait_for_timeout(500)  # Plotly moves its axes once more after the first draw
    page.mouse.click(*page.evaluate(_POINT, op))


_LABELLED = """([place, label]) => {
    const plot = document.querySelectorAll('.js-plotly-plot')[place];
    const trace = plot._fullData.find(data => (data.text || []).length);
    const point = trace.text.findIndex(text => text.trim() === label);
    const box = plot.getBoundingClientRect(), layout = plot._fullLayout;
    return [box.left + layout._size.l + layout.xaxis.c2p(trace.x[point]),
            box.top + layout._size.t + layout.yaxis.c2p(trace.y[point])];
}"""


def choose_node(page, label, graph=0):
    """Click a node by what is written beside it, in one of the graphs of the page Dissect."""
    picture = page.locator(".js-plotly-plot").nth(graph)
    picture.locator(".scatterlayer").first.wait_for()
    settle(page)
    page.wait_for_timeout(500)  # Plotly moves its axes once more after the first draw
    picture.evaluate("plot => plot.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(300)
    page.mouse.click(*page.evaluate(_LABELLED, [graph, label]))
