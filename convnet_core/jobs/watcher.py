"""Jobs from the outside: start, follow, stop and list them, from any process."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import filelock

from convnet_core import events, language
from convnet_core.common import disk_errors
from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import open_regular_file, parse_json, read_json, write_json
from convnet_core.common.processes import environment
from convnet_core.errors import BusyError, RunError, Stopped, one_line
from convnet_core.jobs.job_info import JobInfo, new_job_id
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import now

SPIN_COUNT = "1000"
"""How long PyTorch's threads (libgomp) spin while they wait for each other.

A job of the app shares its cores with a server and a browser. Images per second of the reference recipe on two cores,
median of 3: next to one busy process 2,230 with libgomp's default and 5,070 with this; on an idle machine 8,590 and
6,150.
"""
_START_SECONDS = 30.0  # a process that has not taken its lock by then never will
_POLL_SECONDS = 0.1
_MAX_FULL_READ = 2_000_000  # bytes, about 8,000 events of a training; beyond that, events are thinned
_BLOCK = 1 << 18
_MAX_LINE = 1 << 20
_children: dict[Path, subprocess.Popen[bytes]] = {}


class JobView:
    """A job as another process sees it, during the job or afterward."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def info(self) -> JobInfo:
        """The job's state, with a check that its process is alive. Raises RunError if `job.json` is damaged."""
        info = self._read()
        if not info.live or self._alive(info):
            return info
        info = self._read()  # it may have finished between reading and checking
        if not info.live:
            return info
        if (self.folder / "stop").exists():
            return dataclasses.replace(info, state="stopped", error=_("stopped on request"))
        return dataclasses.replace(
            info,
            state="died",
            error=_("the process died without an error message (killed, or out of memory)"),
            hint=_("its log may say more; finished stages are intact, so start it again"),
        )

    def _read(self) -> JobInfo:
        path = self.folder / "job.json"
        try:
            return dataclass_from_json(JobInfo, read_json(path))
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise RunError(_("{path} is damaged: {reason}", path=path, reason=one_line(error))) from error

    def _alive(self, info: JobInfo) -> bool:
        child = _children.get(self.folder)
        if child is not None and child.poll() is not None:
            return False
        if info.state == "starting":
            age = datetime.now().astimezone() - datetime.fromisoformat(info.started).astimezone()
            return abs(age.total_seconds()) < _START_SECONDS  # abs: the clock may have been set back
        try:
            with filelock.FileLock(self.folder / ".lock", timeout=0):
                return False
        except filelock.Timeout:
            return True
        except OSError as error:  # no job can run on a read-only disk; another user's job may run in their folder
            return error.errno != errno.EROFS and _exists(info.pid)

    def events(self, offset: int = 0) -> tuple[list[events.Event], int]:
        """The events from a byte offset on, and the offset for the next call. Leaves an incomplete line for that call.

        Of more than `_MAX_FULL_READ` bytes, returns evenly thinned events, with all starts and ends of stages and
        epochs and the newest event.
        """
        result: list[events.Event] = []
        try:
            with open_regular_file(self.folder / "events.jsonl") as file:
                every = max(1, (file.seek(0, os.SEEK_END) - offset) // _MAX_FULL_READ)
                file.seek(offset)
                rest = b""
                while block := file.read(_BLOCK):
                    block = rest + block
                    lines = block[: block.rfind(b"\n") + 1]
                    rest = block[len(lines) :]
                    offset += len(lines)
                    if len(rest) > _MAX_LINE:  # not an event
                        offset, rest = offset + len(rest), b""
                    result += _parse_lines(lines, every)
        except OSError:
            pass
        return result, offset

    def log(self) -> str:
        """The content of `log.txt`; empty if it cannot be read or is a link that leads out of the run."""
        try:
            path = Run(self.folder.parent.parent).file(f"jobs/{self.folder.name}/log.txt")
            return path.read_text(encoding="utf-8", errors="replace")
        except (RunError, OSError):
            return ""

    @property
    def stop_requested(self) -> bool:
        """Whether the user asked for a stop."""
        return (self.folder / "stop").exists()

    def stop(self) -> None:
        """Request a stop: a training saves and ends within one batch; other stages end immediately.

        Raises RunError if the disk fails.
        """
        request = self.folder / "stop"
        if request.exists():
            return  # a second signal would interrupt the saving
        with disk_errors.disk_errors_as_run_error(request):
            request.touch()
        info = self.info
        if info.state == "running":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(info.pid, signal.SIGTERM)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _parse_lines(block: bytes, every: int) -> Iterator[events.Event]:
    """The events of a block of lines: every `every`-th line, all milestones, and the last line."""
    lines = block.splitlines()
    if every > 1 and lines and not _has_milestone(block):
        lines, every = [*lines[:-1:every], lines[-1]], 1
    for index, line in enumerate(lines):
        if index % every and index + 1 < len(lines) and not _has_milestone(line):
            continue
        with contextlib.suppress(ValueError):
            event = events.from_json(parse_json(line))
            if event is not None:
                yield event


def _has_milestone(text: bytes) -> bool:
    """Whether any of these lines starts or ends a stage, or ends an epoch."""
    return b'"kind": "stage-' in text or text.count(b'"validation_loss": null') < text.count(b'"validation_loss"')


def start(run: Run, arguments: Sequence[str]) -> JobView:
    """Start `python -m convnet_core <arguments> --run <run>` in a separate process, and return without waiting.

    The process survives this one, and writes its texts in the language that is current now. The job's folder exists
    when this returns. Raises BusyError if a job is using the run, RunError if the disk fails.
    """
    job = current(run)
    if job is not None and job[1].live:
        raise BusyError(
            _("{command} is running on the run {run}", command=job[1].command, run=run.name),
            _("wait for it, or stop it"),
        )
    if bad := next((item for item in arguments if "\0" in item), None):
        raise RunError(_("{bad!r} contains a zero byte, which is not allowed in an argument", bad=bad))
    with disk_errors.disk_errors_as_run_error(run.path):
        return _launch(run, arguments, new_job_id(arguments[0]))


def _launch(run: Run, arguments: Sequence[str], job_id: str) -> JobView:
    folder = run.path / "jobs" / job_id
    folder.mkdir(parents=True)
    info = JobInfo(id=job_id, command=arguments[0], state="starting", started=now(), pid=0)
    write_json(folder / "job.json", dataclasses.asdict(info))
    with (folder / "log.txt").open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "convnet_core", *arguments, "--run", str(run.path), "--job", job_id],
            cwd=Path.cwd(),
            env={**environment(GOMP_SPINCOUNT=SPIN_COUNT), language.VARIABLE: language.current()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[folder] = child
    return JobView(folder)


def list_jobs(run: Run) -> list[JobView]:
    """The jobs of a run, newest first."""
    folder = run.path / "jobs"
    if not folder.is_dir():
        return []
    return [JobView(path) for path in sorted(folder.iterdir(), reverse=True) if (path / "job.json").is_file()]


def current(run: Run) -> tuple[JobView, JobInfo] | None:
    """The job to show for a run: the running one, else the newest that was not refused; skips damaged jobs."""
    jobs = []
    for view in list_jobs(run):
        with contextlib.suppress(RunError):
            jobs.append((view, view.info))
    return next((job for job in jobs if job[1].live), next((job for job in jobs if job[1].state != "refused"), None))


def wait_for_stop(run: Run, monitor: events.Monitor) -> None:
    """Wait until a job that was asked to stop has saved its work and ended. Raises Stopped."""
    stopping = [view for view in list_jobs(run) if view.stop_requested and view.info.live]
    if stopping:
        monitor.emit(events.Message(text=_("waiting until the run {run} has saved its training", run=run.name)))
    while any(view.info.live for view in stopping):
        if monitor.stop_requested():
            raise Stopped(_("stopped while waiting for the run {run}", run=run.name))
        time.sleep(_POLL_SECONDS)


def newest(run: Run, *commands: str) -> tuple[JobView, JobInfo] | None:
    """The newest job of a run that ran one of these commands; skips damaged jobs."""
    for view in list_jobs(run):
        with contextlib.suppress(RunError):
            info = view.info
            if info.command in commands:
                return view, info
    return None
