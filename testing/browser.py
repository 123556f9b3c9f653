"""A real app server and a real browser, for browser tests, measurements and screenshots."""

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
PAGES = ("home", "runs", "data", "train", "export", "convert", "compare", "dissect", "benchmark", "sketchpad")
"""The addresses of all pages, in the order of the menu."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Server:
    """The app on a free port, of the checkout in `root`. It can be stopped and restarted at the same address."""

    def __init__(self, runs: Path, app: Path = ROOT / "app.py", root: Path = ROOT):
        self.runs, self.app, self.root = runs, app, root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the server

    def start(self):
        command = [sys.executable, "-m", "streamlit", "run", str(self.app), "--server.port", str(self.port)]
        # Streamlit 1.67 prints boxed stack traces to stdout when rich is installed
        env = {**os.environ, "CONVNET_RUNS_DIR": str(self.runs), "STREAMLIT_LOGGER_ENABLE_RICH": "false"}
        self.process = subprocess.Popen(command, cwd=self.root, env=env, stdout=subprocess.DEVNULL, stderr=self._log)
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
        """The last two lines of each stack trace in the log; the page itself shows none of it."""
        self._log.seek(0)
        text = self._log.read().decode(errors="replace")
        traces = re.findall(r"^Traceback .*\n(?:[ \t|].*\n|\n)*\S.*", text, re.MULTILINE)
        return [" ".join(trace.splitlines()[-2:]) for trace in traces]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._log.close()


NO_TOUR = "localStorage.setItem('convnet.tour', 'seen')"
"""A script for pages to run first: the tour does not start by itself."""


def launch(playwright):
    """Debian's Chromium, since Playwright's own build is not available everywhere."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


def settle(page):
    """Wait until the page is fully drawn."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)


def menu_link(page, name):
    """A page's link in the menu; the trail above the page has others of the same name."""
    return page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True)


def stop_button(page):
    """The button that stops a job, not the Stop in Streamlit's toolbar.

    The first match: while Streamlit redraws a page whose parts moved, the old button can still be there too.
    """
    return page.get_by_test_id("stMain").get_by_role("button", name="Stop").first


def draw(page, strokes):
    """Draw on the pad with the mouse. Strokes are lists of (x, y), as fractions of the pad's width and height."""
    pad = page.locator("canvas:visible").last
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


_BRING = """(canvas, title) => {
    const {graph} = canvas;
    const shape = graph.scene.shapes.find(each => [each.title, each.name, each.id].includes(title));
    if (!graph.isSeen(shape)) graph.look({...graph.camera, x: shape.x + shape.width / 2, y: shape.y});
    return graph.pointOf(title);
}"""


def click_node(page, title, graph=0):
    """Click the first box or fold with this operator or name in a graph."""
    view = page.locator("canvas.view[data-drawn]").nth(graph)
    view.wait_for()
    settle(page)
    view.evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
    page.mouse.click(*view.evaluate(_BRING, title))
    settle(page)
