"""A job is one command at work on a run, in a process of its own: start, follow, stop, find again.

    jobs/<id>/job.json       what it does and how it ended
    jobs/<id>/events.jsonl   what it tells (`convnet_core.events`), a JSON object a line
    jobs/<id>/log.txt        warnings, the libraries' own output, and the trace of a failure
    jobs/<id>/stop           the stop request: the file is there or not
    jobs/<id>/.lock          held by the process for its whole life

`job.json` is never trusted about life and death: a job that says "running" while its lock is free
has died. A job also holds the lock of its run, so that a second start is refused; a training holds
the lock of its device as well, so that a second one waits its turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import filelock

from convnet_core import events
from convnet_core.errors import ConvNetError, RunError, Stopped
from convnet_core.files import cache_folder, new_id, read_json, write_json
from convnet_core.runs import Run, now

log = logging.getLogger(__name__)

State = Literal["starting", "running", "done", "failed", "stopped", "died"]
_START_SECONDS = 30.0  # a process that has not taken its lock by then never will


@dataclass(frozen=True, kw_only=True)
class JobInfo:
    """`job.json`. `state` is as the job wrote it; `JobView.info` has looked whether it still lives."""

    id: str
    command: str
    state: State
    started: str
    pid: int
    ended: str | None = None
    error: str | None = None
    hint: str = ""


class Job(events.Monitor):
    """The working side: what a stage tells goes to `events.jsonl` and to the observers."""

    def __init__(self, folder: Path, observers: Sequence[Callable[[events.Event], None]] = ()) -> None:
        self.folder = folder
        self._observers = observers
        self._signalled = False
        self._listening = False
        self._lines = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)

    def emit(self, event: events.Event) -> None:
        self._lines.write(json.dumps({"time": round(time.time(), 3), **event.to_json()}) + "\n")
        for observe in self._observers:
            observe(event)

    def stopping(self) -> bool:
        """Whether a signal or the request file asks for a stop."""
        return self._signalled or (self.folder / "stop").exists()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM stop this job.

        A stage that listens finishes its batch and saves; any other, and a second signal, ends the
        stage where it stands, which the swap of the run's folders makes safe.
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

    def _on_signal(self, number: int, frame: object) -> None:
        again, self._signalled = self._signalled, True
        if again or not self._listening:
            raise Stopped

    def close(self) -> None:
        self._lines.close()


@contextlib.contextmanager
def working(
    run: Run, command: str, job_id: str | None = None, observers: Sequence[Callable[[events.Event], None]] = ()
) -> Iterator[Job]:
    """Be a job on a run for the length of the block: its locks, its `job.json`, its log, its end.

    Raises BusyError where another job is at work on the run. Whatever the block raises is recorded and raised on.
    """
    folder = run.path / "jobs" / (job_id or _job_id(command))
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock", timeout=2), contextlib.ExitStack() as stack:
        info = JobInfo(id=folder.name, command=command, state="running", started=now(), pid=os.getpid())
        try:
            stack.enter_context(run.lock())
            run.recover()
            write_json(folder / "job.json", dataclasses.asdict(info))
            job = Job(folder, observers)
            stack.callback(job.close)
            stack.enter_context(_log_to(folder / "log.txt"))
            stack.enter_context(job.signals())
            if job.stopping():
                raise Stopped("stopped before it began")
            yield job
        except BaseException as error:
            if not isinstance(error, ConvNetError):
                with (folder / "log.txt").open("a", encoding="utf-8") as file:
                    traceback.print_exception(error, file=file)
            _finish(folder, info, error)
            raise
        else:
            _finish(folder, info, None)


def _finish(folder: Path, info: JobInfo, error: BaseException | None) -> None:
    state: State = "done" if error is None else "stopped" if isinstance(error, Stopped) else "failed"
    reason = None if error is None else str(error) if isinstance(error, ConvNetError) else describe_fault(error)
    hint = error.hint if isinstance(error, ConvNetError) else ""
    ended = dataclasses.replace(info, state=state, ended=now(), error=reason, hint=hint)
    with contextlib.suppress(OSError):  # a full disk: the error that brought us here says so already
        write_json(folder / "job.json", dataclasses.asdict(ended))


def describe_fault(error: BaseException) -> str:
    """A fault of ours in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


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
    """Hold a device ("cpu", "cuda") of this machine; wait for it while another training has it."""
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
                job.emit(events.Message(text=f"queued: another training is using the device {device}"))
                told = True
            if job.stopping():
                raise Stopped("stopped while waiting for the device") from None
    try:
        yield
    finally:
        lock.release()


# -- the watching side ------------------------------------------------------------------------------

_children: dict[Path, subprocess.Popen[bytes]] = {}


class JobView:
    """A job as somebody else sees it, from any process, at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def info(self) -> JobInfo:
        """The job's state, looked at closely. Raises RunError where `job.json` is damaged."""
        path = self.folder / "job.json"
        try:
            info = JobInfo(**read_json(path))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{path} is damaged: {error}") from error
        if info.state not in ("starting", "running") or self._alive(info):
            return info
        info = JobInfo(**read_json(path))  # it may have ended well between the two looks
        if info.state not in ("starting", "running"):
            return info
        if (self.folder / "stop").exists():
            return dataclasses.replace(info, state="stopped", error="stopped on request")
        return dataclasses.replace(
            info,
            state="died",
            error="the process died without a word (killed, or out of memory)",
            hint="its log may say more; what it had finished is intact, so start it again",
        )

    def _alive(self, info: JobInfo) -> bool:
        child = _children.get(self.folder)
        if child is not None and child.poll() is not None:
            return False
        if info.state == "starting":
            return (datetime.now().astimezone() - datetime.fromisoformat(info.started)).total_seconds() < _START_SECONDS
        try:
            with filelock.FileLock(self.folder / ".lock", timeout=0):
                return False
        except filelock.Timeout:
            return True

    def events(self, offset: int = 0) -> tuple[list[events.Event], int]:
        """The events from a byte offset on, and the offset to go on from; half a line waits for its end."""
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                file.seek(offset)
                block = file.read()
        except OSError:
            return [], offset
        whole = block[: block.rfind(b"\n") + 1]
        found = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                event = events.from_json(json.loads(line))
                if event is not None:
                    found.append(event)
        return found, offset + len(whole)

    def log(self) -> str:
        """What went to `log.txt`."""
        try:
            return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        """Ask for a stop: a training saves and ends within one batch; other stages end at once."""
        (self.folder / "stop").touch()
        info = self.info
        if info.state == "running":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(info.pid, signal.SIGTERM)


def start(run: Run, arguments: Sequence[str]) -> JobView:
    """Start `python -m convnet_core <arguments> --run <run>` in a process of its own, and do not wait.

    The process outlives whoever starts it. Its folder is there when this returns.
    """
    job_id = _job_id(arguments[0])
    folder = run.path / "jobs" / job_id
    folder.mkdir(parents=True)
    package_root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, (str(package_root), os.environ.get("PYTHONPATH"))))
    info = JobInfo(id=job_id, command=arguments[0], state="starting", started=now(), pid=0)
    write_json(folder / "job.json", dataclasses.asdict(info))
    with (folder / "log.txt").open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "convnet_core", *arguments, "--run", str(run.path), "--job", job_id],
            cwd=Path.cwd(),
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[folder] = child
    return JobView(folder)


def list_jobs(run: Run) -> list[JobView]:
    """The jobs of a run, the newest first."""
    folder = run.path / "jobs"
    if not folder.is_dir():
        return []
    return [JobView(path) for path in sorted(folder.iterdir(), reverse=True) if (path / "job.json").is_file()]


def _job_id(command: str) -> str:
    return f"{datetime.now():%Y%m%d-%H%M%S-%f}-{command}-{new_id()[:4]}"
