"""The working side of a job: what the process that does the work holds and tells."""

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
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import now


class _Interrupt(BaseException):
    """What a signal raises: no `except Exception` of a stage or a library may take it for a failure."""


class Job(events.Monitor):
    """The working side: what a stage tells goes to `events.jsonl` and to the observers."""

    def __init__(self, folder: Path, observers: Sequence[Callable[[events.Event], None]] = ()) -> None:
        self.folder = folder
        self._observers = observers
        self._signalled = self._asked = False
        self._listening = self._over = False
        self._lines = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)

    def emit(self, event: events.Event) -> None:
        if self._signalled and not self._listening:
            raise _Interrupt  # a library has swallowed the first one
        self._lines.write(json.dumps({"time": round(time.time(), 3), **event.to_json()}) + "\n")
        for observe in self._observers:
            observe(event)

    def stop_requested(self) -> bool:
        """Whether a signal or the request file asks for a stop."""
        self._asked = self._asked or (self.folder / "stop").exists()
        return self._signalled or self._asked

    @contextlib.contextmanager
    def defer_stop(self) -> Iterator[None]:
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM stop this job.

        A stage that listens finishes its batch and saves; any other, and a second signal, ends the
        stage where it stands, which the swap of the run's folders makes safe. A job that has found the
        request file is on its way to its end: the signal that follows the file is no second one.
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
        again, self._signalled = self._signalled, True
        if again or not (self._listening or self._asked):
            raise _Interrupt

    def end(self) -> None:
        """From now on a signal changes nothing: how the job ended is being written."""
        self._over = True

    def close(self) -> None:
        self._lines.close()


@contextlib.contextmanager
def working(
    run: Run, command: str, job_id: str | None = None, observers: Sequence[Callable[[events.Event], None]] = ()
) -> Iterator[Job]:
    """Be a job on a run for the length of the block: its locks, its `job.json`, its log, its end.

    Raises BusyError where another job is at work on the run; nothing is left of this one then, unless
    somebody who started it (`job_id`) waits to read why. What the block raises is recorded and raised on.
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
                raise Stopped("stopped before it began")
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
    ours = isinstance(error, ConvNetError)
    reason = None if error is None else str(error) if ours else f"{type(error).__name__}: {one_line(error)}"
    hint = error.hint if isinstance(error, ConvNetError) else ""
    ended = dataclasses.replace(info, state=_end(error), ended=now(), error=reason, hint=hint)
    with contextlib.suppress(OSError):  # a full disk: the error that brought us here says so already
        write_json(folder / "job.json", dataclasses.asdict(ended))


def _end(error: BaseException | None) -> State:
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
    """Hold a device ("cpu", "cuda") of this machine; wait for it while another job has it."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"device-{device.replace(':', '-')}.lock")
    told = False
    while True:
        try:
            lock.acquire(timeout=0 if not told else 0.2)
            break
        except filelock.Timeout:
            if not told:
                job.emit(events.Message(text=f"queued: another job is using the device {device}"))
                told = True
            if job.stop_requested():
                raise Stopped("stopped while waiting for the device") from None
    try:
        yield
    finally:
        lock.release()
