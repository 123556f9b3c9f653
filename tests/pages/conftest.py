import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from testing.drawings import drawings
from tests.conftest import ROOT


@pytest.fixture(autouse=True, scope="module")
def empty_caches():
    """What pages keep in memory is kept for the whole process: each file of tests begins without it."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def menu_known(monkeypatch):
    """As on a server after its first page: app.py is what runs. AppTest of Streamlit 1.67 forgets it at every run."""

    class Known(PagesManager):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            PagesManager.uses_pages_directory = False

    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", Known)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A runs root of its own, empty."""
    folder = tmp_path / "runs"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(folder))
    return folder


def open_page(name="home"):
    """The app on one of its pages."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    if name != "home":
        app = app.switch_page(f"pages/{name}.py").run()
    assert not app.exception
    return app


def text_of(app):
    """All that the page says."""
    kinds = (app.markdown, app.success, app.error, app.info, app.warning, app.subheader, app.caption)
    return " ".join(item.value for kind in kinds for item in kind)


def button(app, label):
    """A button by what is written on it."""
    return next(item for item in app.button if item.label == label)


@contextlib.contextmanager
def at_work(run, command, *events):
    """A job in a process of its own that has told these events (as source code) and goes on until the end."""
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
        worker.wait()


@pytest.fixture
def mouse(root, monkeypatch):
    """A stand-in for the pad, which holds what somebody drew."""
    from tests.pages.mouse import Mouse

    open_page("sketchpad")  # the component's module can be imported only while an app runs
    mouse = Mouse()
    monkeypatch.setattr("pages.components.drawing_pad.canvas.st_canvas", mouse)
    return mouse


@pytest.fixture(scope="module")
def drawn():
    """Drawings of 0 to 9, black on white, float32 [280, 280]."""
    images = [image.astype(np.float32) / 255 for image in drawings(10, seed=3)[0]]
    return [image if np.median(image) > 0.5 else 1 - image for image in images]
