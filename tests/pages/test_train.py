"""The Train page with AppTest: empty, with a finished, a stopped, a failed and a running training."""

import base64
import errno
import json
import re

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import PRESETS
from convnet_core.errors import DataError, Stopped
from convnet_core.events import Monitor
from convnet_core.jobs.job import open_job
from convnet_core.jobs.watcher import list_jobs
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from pages.charts.live_curves import _LEFT
from testing.trials import examples
from tests.conftest import copy_of, small_train_config
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.pages.test_home import METRICS


def html_of(app):
    """The HTML that the page draws itself."""
    return " ".join(item.proto.body for item in app.get("html"))


class AfterCalls(Monitor):
    """Requests a stop after a number of batches."""

    def __init__(self, calls):
        self.calls = calls

    def stop_requested(self):
        self.calls -= 1
        return self.calls < 0


def test_a_fork_says_where_it_comes_from_and_shows_both_curves(root, trained_run):
    run = Run.create(root / "fork")
    run_train(run, small_train_config(learning_rate=0.001), Monitor(), parent=trained_run)
    app = open_page("train")
    assert f"Forked from **{trained_run.name}** at epoch 3.0" in text_of(app)
    assert "learning rate 0.006 → 0.001" in text_of(app)
    traces = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    assert {trace["name"] for trace in traces} == {
        "this run", "this run, validation", trained_run.name, f"{trained_run.name}, validation"
    }  # fmt: skip
    ends = {trace["name"]: trace["x"][-1] for trace in traces}
    assert ends["this run"] == pytest.approx(4)
    assert ends[trained_run.name] == pytest.approx(3)


def test_a_finished_training_shows_curves_confusion_and_mistakes(root, trained_run):
    copy_of(trained_run, root)
    app = open_page("train")
    assert "Test accuracy" in html_of(app)
    assert len(app.get("plotly_chart")) == 4  # two curves, confusion matrix, accuracy per digit
    assert "The worst mistakes" in text_of(app)
    assert html_of(app).count('<img alt="a ') == 12


def test_the_mistakes_of_an_earlier_version_are_shown_too(root, trained_run):
    """Its report has no images: they come from the data set."""
    run = copy_of(trained_run, root)
    path = run.path / "train" / "metrics.json"
    report = read_json(path)
    shown = html_of(open_page("train"))
    for mistake in report["mistakes"]:
        del mistake["image"]
    write_json(path, report)
    pictures = re.compile('<img alt="a [^>]*>')
    assert pictures.findall(html_of(open_page("train"))) == pictures.findall(shown) != []


@pytest.mark.slow
def test_a_stale_training_is_marked_as_out_of_date(root, trained_run):
    run = copy_of(trained_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    assert "This is out of date" in text_of(open_page("train"))


def test_a_stopped_training_can_be_resumed(root):
    run = Run.create(root / "run")
    with pytest.raises(Stopped):
        run_train(run, small_train_config(), AfterCalls(10))
    app = open_page("train")
    assert button(app, "Resume the training")


@pytest.mark.slow
def test_a_failed_training_shows_reason_and_hint(root):
    run = Run.create(root / "run")
    with pytest.raises(DataError), open_job(run, "train"):
        raise DataError("the loss is nan", "lower --learning-rate")
    text = text_of(open_page("train"))
    assert "the loss is nan" in text
    assert "lower “learning rate”" in text


def live_curves(app):
    """The SVG of each chart of a running training."""
    (part,) = re.findall('<div class="live-curves".*', html_of(app))
    return [base64.b64decode(code).decode() for code in re.findall(r"svg\+xml;base64,([^\"]+)", part)]


def test_a_running_training_shows_live_figures(root, trained_run):
    copy_of(trained_run, root)
    run = Run.create(root / "running")
    with running_job(run, "train", "StageStarted(stage='train')", METRICS):
        app = open_page("train")
        assert re.search("Images/s</small><br><b>100</b><img .*svg", html_of(app))
        assert "Time left</small><br><b>3 s" in html_of(app)
        assert len(live_curves(app)) == 2
        assert "Test accuracy" not in html_of(app)


STUCK = (
    "Metrics(epoch=1.0, step=500, total_steps=1000, loss=2.3, accuracy=0.1, learning_rate=0.5, images_per_second=9.0, "
    "seconds_left=3.0, validation_loss=2.2, validation_accuracy=0.1)"
)


def test_what_a_running_training_shows_is_explained_beside_it(root):
    settings = f"Settings(config={PRESETS['fast'].to_json()!r})"
    run = Run.create(root / "running")
    with running_job(run, "train", "StageStarted(stage='train')", settings, STUCK, STUCK, STUCK):
        text = text_of(open_page("train"))
    assert "stuck near 10 %" in text
    assert "label smoothing of 0.1" in text


PREVIEW = f"""Preview(epoch=0.5, kernel=3, filters={base64.b64encode(bytes(range(18))).decode()!r}, answers=(
    PreviewAnswer({base64.b64encode(bytes(784)).decode()!r}, 3, 3, 0.75),
    PreviewAnswer({base64.b64encode(bytes(784)).decode()!r}, 5, 6, 0.25)))"""


def test_a_running_training_shows_filters_and_answers(root):
    run = Run.create(root / "running")
    with running_job(run, "train", "StageStarted(stage='train')", METRICS, PREVIEW):
        view = html_of(open_page("train"))
    assert "1 of 2 test digits are read correctly" in view
    assert "First layer: 2 filters, 3 × 3" in view
    assert view.index("<b>3</b>") < view.index("✓") < view.index("<b>6</b>") < view.index("✗")


@pytest.mark.slow
def test_a_resumed_training_is_plotted_from_its_start(root):
    run = Run.create(root / "resumed")
    with run.lock(), run.write_stage("checkpoint", {}) as draft:
        write_json(draft.path / "history.json", examples.HISTORY)
    with running_job(run, "train", "StageStarted(stage='train')", METRICS):
        loss, _ = live_curves(open_page("train"))
    (line,) = re.findall(r'<polyline .*points="(.*?)"', loss)
    (first, _), (now, _) = (point.split(",") for point in line.split())
    assert (float(now) - _LEFT) / (float(first) - _LEFT) == pytest.approx(0.5 / examples.EVENTS[2].epoch, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    "event",
    [
        "Progress(label='x', done=-5, total=7)",
        "Progress(label='x', done=5, total=-7)",
        METRICS.replace("total_steps=10", "total_steps=0"),
    ],
)
def test_impossible_progress_values_do_not_break_the_page(root, event):
    run = Run.create(root / "run")
    with running_job(run, "train", "StageStarted(stage='train')", event):
        assert not open_page("train").exception


@pytest.mark.slow
def test_a_stop_on_a_read_only_disk_shows_an_error(root, monkeypatch):
    run = Run.create(root / "run")

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with running_job(run, "train", "StageStarted(stage='train')"):
        app = open_page("train")
        monkeypatch.setattr("pathlib.Path.touch", refuse)
        app = button(app, "Stop").click().run()
        assert not app.exception
        assert "Read-only file system" in text_of(app)


@pytest.mark.slow
def test_a_queued_training_shows_why_it_waits(root):
    run = Run.create(root / "run")
    queued = "Queued(text='queued: another job is using the device cpu')"
    with running_job(run, "train", "StageStarted(stage='train')", queued):
        assert "Queued: another job is using the device cpu" in text_of(open_page("train"))
        assert list_jobs(run)[0].info.live


@pytest.mark.slow
@pytest.mark.parametrize("confusion", [5, [], [[[1]]], [["a"] * 10] * 10, [[-1] * 10] * 10])
def test_damaged_measurements_are_explained(root, trained_run, confusion):
    run = copy_of(trained_run, root)
    path = run.path / "train" / "metrics.json"
    write_json(path, {**read_json(path), "confusion": confusion})
    app = open_page("train")
    assert not app.exception
    assert "metrics.json cannot be read" in text_of(app)
