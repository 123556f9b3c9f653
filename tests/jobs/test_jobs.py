import dataclasses
import itertools
import json
import sys
import time

import pytest

from convnet_core import events, language
from convnet_core.common.files import write_json
from convnet_core.errors import BusyError, DataError, RunError, Stopped
from convnet_core.events import Message, Metrics, Progress
from convnet_core.jobs import watcher
from convnet_core.jobs.job import device_lock, open_job
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.jobs.overview import overview
from convnet_core.jobs.watcher import JobView, list_jobs
from convnet_core.runs.run import Run

_METRICS = Metrics(
    epoch=0.5, step=1, total_steps=2, loss=1.0, accuracy=0.5, learning_rate=0.1, images_per_second=9.0, seconds_left=1.0
)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


def only_job(run):
    (view,) = list_jobs(run)
    return view


@pytest.mark.parametrize("event", [Message(text="ü"), Progress(label="a", done=1, total=2), _METRICS])
def test_events_survive_json(event):
    assert events.from_json(json.loads(json.dumps(event.to_json()))) == event


def test_unknown_events_are_ignored():
    assert events.from_json({"kind": "dance"}) is None
    assert events.from_json({"kind": "metrics", "loss": 1}) is None


def test_a_job_is_recorded_from_start_to_end(run):
    with open_job(run, "train") as job:
        assert only_job(run).info.state == "running"
        job.emit(Message(text="hello"))
    view = only_job(run)
    assert view.info.state == "done"
    assert view.events()[0] == [Message(text="hello")]


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (DataError("no ink", "draw"), "failed", "no ink"),
        (Stopped(), "stopped", "stopped on request"),
        (KeyError("x"), "failed", "KeyError: 'x'"),
    ],
)
def test_the_outcome_of_a_job_is_recorded(run, error, state, text):
    with pytest.raises(type(error)), open_job(run, "train"):
        raise error
    view = only_job(run)
    assert (view.info.state, view.info.error) == (state, text)
    assert ("Traceback" in view.log()) == isinstance(error, KeyError)


def test_events_are_read_from_an_offset_up_to_the_last_full_line(run):
    with open_job(run, "train") as job:
        view = only_job(run)
        job.emit(Message(text="one"))
        first, offset = view.events()
        job.emit(Message(text="two"))
        with (job.folder / "events.jsonl").open("a") as file:
            file.write('{"kind": "message", "te')
        second, offset = view.events(offset)
        assert (first, second) == ([Message(text="one")], [Message(text="two")])
        assert view.events(offset)[0] == []


def test_a_job_with_a_start_time_in_the_future_has_died(run):
    folder = run.path / "jobs/later"
    folder.mkdir(parents=True)
    info = {"id": "later", "command": "train", "state": "starting", "started": "2999-01-01T00:00:00+00:00", "pid": 1}
    write_json(folder / "job.json", info)
    assert JobView(folder).info.state == "died"


def test_a_started_process_records_its_failure(run):
    view = watcher.start(run, ["export"])
    assert view.info.state in ("starting", "running")
    deadline = time.monotonic() + 60
    while view.info.state in ("starting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert view.info.state == "failed"
    assert "has no train yet" in view.info.error
    assert "Traceback" not in view.log()


def test_a_job_is_told_the_language_in_which_it_was_started(run, monkeypatch):
    monkeypatch.setenv("CONVNET_LANGUAGE", "en")  # of the server's process, not of the session
    environments = []
    monkeypatch.setattr(watcher.subprocess, "Popen", lambda *_, env, **__: environments.append(env))
    with language.use("zh"):
        watcher.start(run, ["export"])
    assert [env["CONVNET_LANGUAGE"] for env in environments] == ["zh"]


def test_an_argument_with_a_zero_byte_is_refused(run):
    with pytest.raises(RunError, match="zero byte"):
        watcher.start(run, ["train", "--data", "a\0b"])
    assert not list_jobs(run)


def test_a_process_that_never_opened_its_job_has_died(run, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    view = watcher.start(run, ["export"])
    time.sleep(0.3)
    assert view.info.state == "died"


def test_a_second_training_waits_for_the_device(run, tmp_path):
    heard = []

    class Listener(events.Monitor):
        def emit(self, event):
            heard.append(event)

        def stop_requested(self):
            return len(heard) > 0

    with device_lock("cpu", events.Monitor()), pytest.raises(Stopped), device_lock("cpu", Listener()):
        pass
    assert "queued" in heard[0].text
    with device_lock("cpu", events.Monitor()):
        pass


def test_a_damaged_job_file_is_an_error(run):
    folder = run.path / "jobs/x"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text("[]")
    with pytest.raises(RunError, match="damaged"):
        _ = JobView(folder).info
    assert watcher.current(run) is None


def test_progress_accumulates_events_and_reads_each_once(run):
    with open_job(run, "pipeline") as job:
        progress = JobProgress(JobView(job.folder))
        job.emit(events.StageStarted(stage="train"))
        job.emit(events.Message(text="hello"))
        progress.update()
        assert (progress.started, progress.current_stage, progress.latest) == (
            ["train"],
            "train",
            events.Message(text="hello"),
        )
        job.emit(_METRICS)
        job.emit(events.StageDone(stage="train", seconds=1.0))
        progress.update()
        progress.update()
        assert progress.metrics == [_METRICS]
        assert (progress.latest, progress.current_stage, list(progress.done)) == (None, None, ["train"])


def test_an_overview_reads_only_new_events(run, monkeypatch):
    """The home page rebuilds the whole list at each action of each visitor, while the event file keeps growing."""
    offsets, read = [], JobView.events
    monkeypatch.setattr(JobView, "events", lambda self, offset=0: offsets.append(offset) or read(self, offset))
    with open_job(run, "train") as job:
        job.emit(events.StageStarted(stage="train"))
        for _ in range(3):
            assert overview(run).stages["train"].state == "running"
            job.emit(_METRICS)
    assert len(offsets) == 3
    assert 0 == offsets[0] < offsets[1] < offsets[2]


def test_a_second_start_is_refused_and_leaves_no_trace(run):
    with open_job(run, "train"), pytest.raises(BusyError, match="train is running"):
        watcher.start(run, ["export"])
    assert len(list_jobs(run)) == 1


def test_a_refused_job_does_not_hide_the_previous_one(run):
    with open_job(run, "train"):
        pass
    folder = run.path / "jobs" / "99999999-refused"
    with run.lock(), pytest.raises(BusyError), open_job(run, "export", folder.name):
        pass
    assert JobView(folder).info.state == "refused"
    assert watcher.current(run)[1].command == "train"


def test_long_histories_are_thinned_but_keep_stage_events_and_validation(run):
    folder = run.path / "jobs" / "long"
    folder.mkdir(parents=True)
    lines = [events.StageStarted(stage="train")]
    validations = 0
    for step in range(40_000):
        validations += (validated := step % 10_000 == 77)
        lines.append(dataclasses.replace(_METRICS, step=step, validation_loss=0.5 if validated else None))
    lines += [events.StageDone(stage="train", seconds=9), events.StageStarted(stage="export")]
    (folder / "events.jsonl").write_text("".join(json.dumps(line.to_json()) + "\n" for line in lines))
    progress = JobProgress(JobView(folder))
    progress.update()
    assert progress.started == ["train", "export"]
    assert progress.done["train"].seconds == 9
    assert sum(item.validation_loss is not None for item in progress.metrics) == validations
    steps = [item.step for item in progress.metrics]
    assert 400 < len(steps) <= 1001 + validations
    assert steps == sorted(steps)
    assert steps[-1] > 39_900
    assert max(after - before for before, after in itertools.pairwise(steps)) < 200
    progress.update()
    assert [item.step for item in progress.metrics] == steps
