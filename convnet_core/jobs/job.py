"""A job from the inside: the process that does the work locks the run, records events and handles signals."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import filelock

from convnet_core import events
from convnet_core.common import disk_errors
from convnet_core.common.files import cache_folder, write_json
from convnet_core.errors import BusyError, ConvNetError, Stopped, one_line
from convnet_core.jobs.job_info import JobInfo, State, new_job_id
from convnet_core.jobs.preview_file import write_preview
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import now


class _Interrupt(BaseException):
    """Raised by a signal. Not an Exception, so that no `except Exception` in a stage or a library catches it."""


class Job(events.Monitor):
    """Records a stage's events in `events.jsonl`, passes them to the observers, and receives stop requests.

    Of the previews it keeps only the newest, in `preview.json`.
    """

    def __init__(self, folder: Path, observers: Sequence[Callable[[events.Event], None]] = ()) -> None:
        self.folder = folder
        self._observers = observers
        self._signaled = self._requested = False
        self._deferring = self._over = False
        self._lines = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)

    def emit(self, event: events.Event) -> None:
        if self._signaled and not self._deferring:
            raise _Interrupt  # a library has caught the first one
        if isinstance(event, events.Preview):
            write_preview(self.folder, event)
        else:
            self._lines.write(json.dumps({"time": round(time.time(), 3), **event.to_json()}) + "\n")
        for observe in self._observers:
            observe(event)

    def stop_requested(self) -> bool:
        """Whether a signal or the file `stop` has asked for a stop."""
        self._requested = self._requested or (self.folder / "stop").exists()
        return self._signaled or self._requested

    @contextlib.contextmanager
    def defer_stop(self) -> Iterator[None]:
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM stop this job.

        A stage inside `defer_stop` finishes its batch and saves. Other stages end immediately, and
        so does any stage on a second signal; the folder swaps of the run make that safe. If the job
        has already seen the file `stop`, the signal that follows the file does not count as a second one.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._over:
            return
        again, self._signaled = self._signaled, True
        if again or not (self._deferring or self._requested):
            raise _Interrupt

    def end(self) -> None:
        """Ignore signals from now on, while the job's outcome is written."""
        self._over = True

    def close(self) -> None:
        self._lines.close()


@contextlib.contextmanager
def open_job(
    run: Run, command: str, job_id: str | None = None, observers: Sequence[Callable[[events.Event], None]] = ()
) -> Iterator[Job]:
    """Run the block as a job: lock the run, write `job.json` and the log, and record how the block ends.

    Raises BusyError if another job is using the run; this job then leaves no trace, unless it was
    started by another process (`job_id`), which needs to read the reason. Records exceptions of
    the block and raises them again.
    """
    folder = run.path / "jobs" / (job_id or new_job_id(command))
    with disk_errors.disk_errors_as_run_error(run.path), contextlib.ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(filelock.FileLock(folder / ".lock", timeout=2))
        info = JobInfo(id=folder.name, command=command, state="running", started=now(), pid=os.getpid())
        job: Job | None = None
        try:
            stack.enter_context(run.lock())
            run.recover()
            write_json(folder / "job.json", dataclasses.asdict(info))
            job = Job(folder, observers)
            stack.callback(job.close)
            stack.enter_context(_log_to(folder / "log.txt"))
            stack.enter_context(job.signals())
            if job.stop_requested():
                raise Stopped(_("stopped before it started"))
            with disk_errors.disk_errors_as_run_error(run.path):
                yield job
            job.end()
            _finish(folder, info, None)
        except _Interrupt:
            if job:
                job.end()
            stopped = Stopped()
            _finish(folder, info, stopped)
            raise stopped from None
        except BaseException as error:
            if job:
                job.end()
            if isinstance(error, BusyError) and job_id is None:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            if not isinstance(error, ConvNetError):
                with contextlib.suppress(OSError), (folder / "log.txt").open("a", encoding="utf-8") as file:
                    traceback.print_exception(error, file=file)
            _finish(folder, info, error)
            raise


def _finish(folder: Path, info: JobInfo, error: BaseException | None) -> None:
    expected = isinstance(error, ConvNetError)
    reason = None if error is None else str(error) if expected else f"{type(error).__name__}: {one_line(error)}"
    hint = error.hint if isinstance(error, ConvNetError) else ""
    info = dataclasses.replace(info, state=_end_state(error), ended=now(), error=reason, hint=hint)
    with contextlib.suppress(OSError):  # the disk is full, which `error` says already
        write_json(folder / "job.json", dataclasses.asdict(info))


def _end_state(error: BaseException | None) -> State:
    match error:
        case None:
            return "done"
        case Stopped():
            return "stopped"
        case BusyError():
            return "refused"
    return "failed"


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def device_lock(device: str, job: events.Monitor) -> Iterator[None]:
    """Lock a device ("cpu", "cuda") of this machine; wait while another job uses it. Raises Stopped."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"device-{device.replace(':', '-')}.lock")
    queued = False
    while True:
        try:
            lock.acquire(timeout=0.2 if queued else 0)
            break
        except filelock.Timeout:
            if not queued:
                job.emit(events.Queued(text=_("queued: another job is using the device {device}", device=device)))
                queued = True
            if job.stop_requested():
                raise Stopped(_("stopped while waiting for the device")) from None
    try:
        yield
    finally:
        lock.release()
