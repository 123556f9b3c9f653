"""The home page with AppTest: empty, with a finished, a stale, a failed and a running run."""

import dataclasses
import os
import subprocess
import sys

import pytest

from convnet_core import jobs
from convnet_core.errors import DataError
from convnet_core.files import write_json
from convnet_core.jobs import working
from convnet_core.runs import Run
from tests.conftest import ROOT, copy_of
from tests.pages.conftest import open_page, text_of


def test_empty_it_offers_the_button(root):
    app = open_page()
    assert [button.label for button in app.button] == ["Run the pipeline"]
    assert not app.button[0].disabled


def test_a_finished_run_shows_its_verdict_and_table(root, finished_run):
    copy_of(finished_run, root)
    app = open_page()
    assert "All runtimes agree with pytorch" in text_of(app)
    assert len(app.dataframe[0].value) == 7


def test_a_stale_verdict_is_not_shown(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page()
    assert "agree" not in text_of(app)
    assert "stale" in text_of(app)


def test_a_failed_job_shows_reason_hint_and_log(root):
    run = Run.create(root / "run")
    with pytest.raises(DataError), working(run, "train"):
        raise DataError("label 12 at position 3", "mend the file")
    app = open_page()
    assert "label 12 at position 3" in text_of(app)
    assert "mend the file" in text_of(app)


def test_a_dead_job_is_said_to_have_died(root):
    run = Run.create(root / "run")
    with working(run, "train") as job:
        running = jobs.JobView(job.folder).info
    write_json(job.folder / "job.json", dataclasses.asdict(running))
    assert "died" in text_of(open_page())


def test_a_running_job_is_followed_and_the_button_waits(root):
    run = Run.create(root / "run")
    code = f"""
from pathlib import Path
from convnet_core.events import Metrics, StageStarted
from convnet_core.jobs import working
from convnet_core.runs import Run
with working(Run.open(Path({str(run.path)!r})), "pipeline") as job:
    job.emit(StageStarted(stage="train"))
    job.emit(Metrics(epoch=0.5, step=5, total_steps=10, loss=1.0, accuracy=0.75, learning_rate=0.1,
                     images_per_second=100.0, seconds_left=3.0))
    print("ready", flush=True)
    input()
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    assert worker.stdout.readline() == b"ready\n"
    try:
        app = open_page()
        assert app.button[0].disabled
        assert "train" in text_of(app)
        next(button for button in app.button if button.label == "Stop").click().run()
        assert not app.exception
        assert (next(iter(run.path.glob("jobs/*"))) / "stop").exists()
    finally:
        worker.kill()
        worker.wait()
