"""The home page with AppTest: empty, with a finished, a stale, a failed and a running run."""

import dataclasses
import json
import re
import shutil
from types import SimpleNamespace

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import PRESETS
from convnet_core.errors import DataError
from convnet_core.jobs.job import open_job
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.run import Run
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import button, open_page, picture, running_job, states, text_of
from tests.support.links import replace_with_link


@pytest.fixture(autouse=True)
def no_runtimes(monkeypatch):
    """Keep the pad's runtimes closed: test_pad.py draws on it."""
    quiet = {"busy": False, "loading": False, "learning": False, "doubt_fault": ""}
    pool = SimpleNamespace(**quiet, names=(), ready=(), failed={}, fault=None)
    monkeypatch.setattr("pages.components.reading.open_pool", lambda *_: pool)


def test_without_runs_it_offers_to_run_the_pipeline(root):
    app = open_page()
    assert [button.label for button in app.main.button] == ["Run the pipeline"]
    assert not app.button[0].disabled
    assert states(app) == ["not made yet"] * 4
    assert "learns from 55,000 digits like these" in text_of(app), "5,000 of the 60,000 are held out for validation"


def test_a_finished_run_shows_its_verdict_and_table(root, finished_run):
    copy_of(finished_run, root)
    app = open_page()
    assert f"{len(RUNTIMES)} runtimes agree." in text_of(app)
    assert len(app.dataframe[0].value) == 8


def test_a_refuted_verdict_is_marked_in_the_picture(root, finished_run):
    run = copy_of(finished_run, root)
    assert "Verdict</b>" in picture(open_page())
    assert f"{len(RUNTIMES)} runtimes agree" in picture(open_page())
    path = run.path / "compare/stage.json"
    record = read_json(path)
    record["result"] |= {"verdict": "disagree", "runtimes": {"a": True, "b": False, "c": True}}
    write_json(path, record)
    body = picture(open_page())
    assert "1 of 3 disagrees" in body
    assert ">✗</i> up to date" in body


def test_the_stages_in_the_picture_link_to_their_pages(root, finished_run):
    run = copy_of(finished_run, root)
    links = re.findall(r'<a [^>]*href="([^"]*)"', picture(open_page()))
    assert links == [f"{page}?run={run.name}" for page in ("train", "export", "convert", "compare")]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([1.0, 1.0], "Every runtime gives every test digit a's label."),
        (
            [1.0, 0.99996],
            "1 of 2 runtimes gives every test digit a's label; the lowest share of equal labels is 99.99 %.",
        ),
    ],
)
def test_the_agreement_is_of_labels_without_the_reference_and_never_rounded_up(root, finished_run, shares, words):
    run = copy_of(finished_run, root)
    path = run.path / "compare/report.json"
    report = read_json(path)
    named = zip("abc", [1.0, *shares], strict=True)
    lines = [{**report["runtimes"][0], "name": name, "label_agreement": share} for name, share in named]
    report |= {"reference": "a", "runtimes": lines}
    path.write_text(json.dumps(report))
    record = read_json(run.path / "compare/stage.json")
    record["outputs"]["report.json"] |= {"bytes": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
    write_json(run.path / "compare/stage.json", record)
    assert words in text_of(open_page())


def test_a_forked_training_is_not_compared_with_its_preset(root, finished_run, monkeypatch):
    monkeypatch.setattr("convnet_core.training.estimate.mnist_accuracy", lambda _: 0.937)
    run = copy_of(finished_run, root)
    labels = [metric.label for metric in open_page().metric]
    shutil.copytree(run.path / "train", run.path / "fork")
    path = run.path / "fork/stage.json"
    write_json(path, {**read_json(path), "stage": "fork"})
    forked = [metric.label for metric in open_page().metric]
    assert [label for label in labels if label not in forked] == ["MNIST, same settings"]


def test_a_stale_verdict_is_not_shown(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page()
    assert "agree" not in text_of(app)
    assert states(app) == ["out of date"] * 4
    assert button(app, "Bring up to date")


def test_a_failed_job_shows_reason_hint_and_log(root):
    run = Run.create(root / "run")
    with pytest.raises(DataError), open_job(run, "train"):
        raise DataError("label 12 at position 3", "fix the file")
    app = open_page()
    assert "label 12 at position 3" in text_of(app)
    assert "fix the file" in text_of(app)


def test_a_stopped_training_can_be_brought_up_to_date(root, trained_run):
    run = copy_of(trained_run, root)
    (run.path / "train").rename(run.path / "checkpoint")
    path = run.path / "checkpoint/stage.json"
    write_json(path, {**read_json(path), "stage": "checkpoint"})
    app = open_page()
    assert button(app, "Bring up to date")


def test_a_damaged_report_is_explained(root, finished_run):
    run = copy_of(finished_run, root)
    path = run.path / "compare/report.json"
    record = read_json(run.path / "compare/stage.json")
    path.write_text("{}")
    record["outputs"]["report.json"] |= {"bytes": 2, "mtime_ns": path.stat().st_mtime_ns}
    write_json(run.path / "compare/stage.json", record)
    app = open_page()
    assert "report.json cannot be read" in text_of(app)
    assert "use the page Compare" in text_of(app)


def test_a_report_that_is_a_link_is_not_downloadable(root, tmp_path, finished_run):
    run = copy_of(finished_run, root)
    replace_with_link(run, "compare/report.html", tmp_path)
    app = open_page()
    assert f"{len(RUNTIMES)} runtimes agree." in text_of(app)
    assert "report.html leads out of the run's folder" in text_of(app)
    assert not app.download_button


def test_a_dead_job_is_shown_as_died(root):
    run = Run.create(root / "run")
    with open_job(run, "train") as job:
        running = JobView(job.folder).info
    write_json(job.folder / "job.json", dataclasses.asdict(running))
    assert "died" in text_of(open_page())


def settings(config):
    return f"Settings(config={config.to_json()!r})"


def test_the_digits_that_a_network_learns_from_stand_only_beside_its_training(root):
    run = Run.create(root / "run")
    config = PRESETS["reference"]
    own = config.replace(data=config.data.replace(source="/own"))
    for event, shown in (
        ("StageStarted(stage='compare')", False),
        (settings(config), True),
        (settings(own), False),
    ):
        with running_job(run, "pipeline", event):
            assert ("learns from 60,000 digits" in text_of(open_page())) == shown
            assert ("learns from" in text_of(open_page())) == shown


METRICS = (
    "Metrics(epoch=0.5, step=5, total_steps=10, loss=1.0, accuracy=0.75, learning_rate=0.1, "
    "images_per_second=100.0, seconds_left=3.0)"
)


def test_a_running_pipeline_shows_its_stages_and_can_be_stopped(root):
    run = Run.create(root / "run")
    done = "StageDone(stage='train', seconds=1.0)"
    with running_job(run, "pipeline", "StageStarted(stage='train')", METRICS, done, "StageStarted(stage='export')"):
        app = open_page()
        assert button(app, "Run the pipeline").disabled
        assert states(app) == ["not made yet", "running", "waiting", "waiting"]
        button(app, "Stop").click().run()
        assert not app.exception
        assert "Stopping" in text_of(app) or "stopped on request" in text_of(app)
        assert (next(iter(run.path.glob("jobs/*"))) / "stop").exists()
