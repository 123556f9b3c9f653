"""The home page with AppTest: empty, with a finished, a stale, a failed and a running run."""

import dataclasses

import pytest

from convnet_core import jobs
from convnet_core.errors import DataError
from convnet_core.files import write_json
from convnet_core.jobs import working
from convnet_core.runs import Run
from tests.conftest import copy_of
from tests.pages.conftest import at_work, button, open_page, text_of


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


METRICS = (
    "Metrics(epoch=0.5, step=5, total_steps=10, loss=1.0, accuracy=0.75, learning_rate=0.1, "
    "images_per_second=100.0, seconds_left=3.0)"
)


def test_a_running_job_is_followed_and_can_be_stopped(root):
    run = Run.create(root / "run")
    with at_work(run, "pipeline", "StageStarted(stage='train')", METRICS):
        app = open_page()
        assert button(app, "Run the pipeline").disabled
        assert "train" in text_of(app)
        button(app, "Stop").click().run()
        assert not app.exception
        assert "Stopping" in text_of(app) or "stopped on request" in text_of(app)
        assert (next(iter(run.path.glob("jobs/*"))) / "stop").exists()
