import contextlib
import functools
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from convnet_core.runtimes import pool_worker
from testing.drawings import drawings
from tests.conftest import ROOT
from tests.support import reader_tasks


@pytest.fixture(autouse=True, scope="module")
def empty_caches():
    """Clear the caches of the pages before each test file, because they last for the whole process."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def no_pages_directory(monkeypatch):
    """Run app.py, as a server does after its first page; AppTest of Streamlit 1.67 forgets this before every run."""

    class NoPagesDirectory(PagesManager):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            PagesManager.uses_pages_directory = False

    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", NoPagesDirectory)


_scan_once = functools.lru_cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True, scope="session")
def light_reruns():
    """Leave out what only costs time here, about half a second a rerun.

    AppTest of Streamlit 1.67 reads the metadata of all installed packages for each new app. Each rerun ends with
    keras.backend.clear_session(), which collects garbage, in a process where tests have imported torch and TensorFlow.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", _scan_once)
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(autouse=True)
def measured_machine(monkeypatch):
    """The speed of this machine is known, so that the Train page starts no process that measures it."""
    monkeypatch.setattr("convnet_core.jobs.calibrator.known_factor", lambda _: 1.0)
    monkeypatch.setattr("convnet_core.training.speed.known_factor", lambda _: 1.0)


@pytest.fixture(autouse=True)
def no_doubt(monkeypatch):
    """Leave out what the sketchpad learns in the background."""
    monkeypatch.setattr(pool_worker, "learn_doubt", reader_tasks.learn_nothing)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty runs folder."""
    folder = tmp_path / "runs"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(folder))
    return folder


def open_page(name="home", **address):
    """Open the app on one of its pages, with these parameters in the address."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in address.items():
        app.query_params[key] = value
    if name != "home":
        app.switch_page(f"pages/{name}.py")
    app = app.run()
    assert not app.exception
    return app


def text_of(app):
    """All text on the page."""
    kinds = (app.markdown, app.success, app.error, app.info, app.warning, app.header, app.caption)
    shown = [json.loads(item.proto.json) for item in app.get("bidi_component") if item.proto.json]
    answers = [data for data in shown if "digit" in data]
    lines = [line for answer in answers for line in (*(answer[part] for part in _PARTS), *answer["runtimes"])]
    lines += [line for data in shown if data.get("panel") for line in panel_lines(data["panel"])]
    return " ".join([*(item.value for kind in kinds for item in kind), *lines])


def panel_lines(panel):
    """The texts in a graph's panel."""
    yield from (panel["title"], panel["name"])
    for part in panel["parts"]:
        yield from (part["title"], part["note"], *(text for row in part["rows"] for text in row))


def graphs_of(app):
    """What the views of graphs show, as sent to the browser."""
    shown = [json.loads(item.proto.json) for item in app.get("bidi_component") if item.proto.json]
    return [data for data in shown if "scene" in data]


_PARTS = ("digit", "title", "detail", "note")
"""The texts of the pad's answer."""


def picture(app):
    """The picture of a run's way, as HTML."""
    (body,) = [item.proto.body for item in app.get("html") if 'data-testid="way"' in item.proto.body]
    return body


def states(app):
    """The states of the stages in the picture of a run's way."""
    return [text.strip() for text in re.findall(r"</i>(.*?)</span>", picture(app))]


def button(app, label):
    """The button with this label."""
    return next(item for item in app.button if item.label == label)


@contextlib.contextmanager
def running_job(run, command, *events):
    """A job in a separate process that has emitted `events` (source code) and runs until the block ends."""
    code = f"""
from pathlib import Path
from convnet_core.events import *
from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
with open_job(Run.open(Path({str(run.path)!r})), {command!r}) as job:
    for event in [{", ".join(events)}]:
        job.emit(event)
    print("ready", flush=True)
    input()
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert worker.stdout.readline() == b"ready\n"
        yield worker
    finally:
        worker.kill()
        worker.communicate()


@pytest.fixture
def mouse(root, monkeypatch):
    """A stand-in for the plain pad."""
    from tests.pages.mouse import Mouse

    open_page("sketchpad")  # the component can only be imported while an app runs
    mouse = Mouse()
    monkeypatch.setattr("pages.components.drawing_pad.canvas.st_canvas", mouse)
    return mouse


@pytest.fixture(scope="module")
def digits():
    """Drawings of the digits 0 to 9, black on white, float32 [280, 280] each."""
    images = [image.astype(np.float32) / 255 for image in drawings(10, seed=3)[0]]
    return [image if np.median(image) > 0.5 else 1 - image for image in images]
