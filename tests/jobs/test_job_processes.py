"""Jobs in separate processes: killed, stopped by a signal or a request, competing, on a read-only disk."""

import errno
import shutil
import signal
import subprocess
import sys
import time

import filelock
import pytest

from convnet_core.errors import BusyError, RunError
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from convnet_core.jobs.watcher import JobView, list_jobs
from convnet_core.runs.run import Run
from tests.conftest import ROOT


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


def only_job(run):
    (view,) = list_jobs(run)
    return view


_SLEEP = 'print("ready", flush=True); time.sleep(600)'


def start_worker(run, body):
    """Start a process that opens a job on the run and executes `body`, which must print `ready`."""
    code = f"""
import time
from pathlib import Path
from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
with open_job(Run.open(Path({str(run.path)!r})), "train") as job:
    {body}
"""
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert worker.stdout.readline() == b"ready\n"
    return worker


def finish(worker):
    """Wait for the end of a process, close its pipes, and return its exit status."""
    worker.communicate(timeout=120)
    return worker.returncode


def test_a_killed_job_is_reported_as_died(run):
    worker = start_worker(run, _SLEEP)
    assert only_job(run).info.state == "running"
    worker.kill()
    finish(worker)
    assert only_job(run).info.state == "died"


def test_a_second_job_on_the_run_is_refused(run):
    worker = start_worker(run, _SLEEP)
    with pytest.raises(BusyError), open_job(run, "export"):
        pass
    assert only_job(run).info.command == "train"  # the refused job left no trace
    with pytest.raises(BusyError), open_job(run, "export", job_id="asked-for"):
        pass
    assert JobView(run.path / "jobs/asked-for").info.state == "refused"
    assert watcher.current(run)[1].command == "train"
    worker.kill()
    finish(worker)
    with open_job(run, "export"):
        pass


def test_a_signal_stops_a_stage_that_never_checks_for_stops(run):
    worker = start_worker(run, _SLEEP)
    worker.send_signal(signal.SIGTERM)
    finish(worker)
    assert only_job(run).info.state == "stopped"


def test_except_exception_does_not_catch_a_stop(run):
    body = """
    try:
        print("ready", flush=True)
        time.sleep(600)
    except Exception:
        print("swallowed", flush=True)
    """
    worker = start_worker(run, body)
    worker.send_signal(signal.SIGTERM)
    assert b"swallowed" not in worker.communicate(timeout=120)[0]
    assert only_job(run).info.state == "stopped"


def test_a_second_stop_does_not_interrupt_the_first(run):
    body = """
    with job.defer_stop():
        print("ready", flush=True)
        while not job.stop_requested():
            time.sleep(0.01)
        time.sleep(1)
        print("saved", flush=True)
    """
    worker = start_worker(run, body)
    for _ in range(3):
        only_job(run).stop()
        time.sleep(0.1)
    assert b"saved" in worker.communicate(timeout=120)[0]


def test_a_signal_does_not_interrupt_a_stage_that_saw_the_stop_request(run):
    body = """
    from convnet_core.errors import Stopped
    with job.defer_stop():
        print("ready", flush=True)
        while not job.stop_requested():
            time.sleep(0.01)
        print("saved", flush=True)
    time.sleep(1)
    raise Stopped("stopped in epoch 1")
    """
    worker = start_worker(run, body)
    (only_job(run).folder / "stop").touch()
    assert worker.stdout.readline() == b"saved\n"
    time.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    finish(worker)
    assert only_job(run).info.error == "stopped in epoch 1"


def test_a_signal_after_the_final_state_is_written_is_ignored(run):
    body = """
    from convnet_core.jobs import job as work
    write = work.write_json
    def slowly(*args):
        write(*args)
        print("ready", flush=True)
        time.sleep(1)
    work.write_json = slowly
    """
    worker = start_worker(run, body)
    worker.send_signal(signal.SIGTERM)
    assert finish(worker) == 0
    assert only_job(run).info.state == "done"


def test_a_signal_while_the_final_state_is_written_is_ignored(run):
    body = """
    from convnet_core.jobs import job as work
    write = work.write_json
    def slowly(*args):
        print("ready", flush=True)
        time.sleep(1)
        write(*args)
    work.write_json = slowly
    """
    worker = start_worker(run, body)
    worker.send_signal(signal.SIGTERM)
    assert finish(worker) == 0
    assert only_job(run).info.state == "done"


def test_a_run_in_a_read_only_folder_opens_and_shows_its_jobs_as_ended(run, monkeypatch):
    worker = start_worker(run, _SLEEP)
    worker.kill()
    finish(worker)
    (run.path / "export.new-0123456789ab").mkdir()

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert only_job(Run.open(run.path)).info.state == "died"
    monkeypatch.setattr("pathlib.Path.touch", refuse)
    with pytest.raises(RunError, match=r"cannot write .*stop: .*[Rr]ead-only"):
        only_job(run).stop()


def test_a_stage_that_defers_stops_sees_signals_and_requests(run):
    body = """
    with job.defer_stop():
        print("ready", flush=True)
        while not job.stop_requested():
            time.sleep(0.01)
        print("finished the batch", flush=True)
    """
    for stop in (lambda worker: worker.send_signal(signal.SIGINT), lambda _: only_job(run).stop()):
        worker = start_worker(run, body)
        stop(worker)
        assert worker.stdout.readline() == b"finished the batch\n"
        finish(worker)
        shutil.rmtree(run.path / "jobs")
