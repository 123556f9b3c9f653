"""The watching side of jobs: start, follow, stop and find again, from any process."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import filelock

from convnet_core import events
from convnet_core.common import disk_errors
from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import open_regular_file, parse_json, read_json, write_json
from convnet_core.common.processes import environment
from convnet_core.errors import BusyError, RunError, one_line
from convnet_core.jobs.job_info import JobInfo, new_job_id
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import now

_SPIN_COUNT = "1000"
"""How long PyTorch's threads (libgomp) spin while they wait for each other.

A job of the app shares its cores with a server and a browser. Images per second of the reference recipe on two cores,
median of 3: beside one busy process 2,230 with libgomp's own setting and 5,070 with this; alone 8,590 and 6,150.
"""
_START_SECONDS = 30.0  # a process that has not taken its lock by then never will
_READ_WHOLE = 2_000_000  # bytes of events: some 8,000 of a training's
_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 20
_children: dict[Path, subprocess.Popen[bytes]] = {}


class JobView:
    """A job as somebody else sees it, from any process, at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def info(self) -> JobInfo:
        """The job's state, looked at closely. Raises RunError where `job.json` is damaged."""
        info = self._read()
        if not info.live or self._alive(info):
            return info
        info = self._read()  # it may have ended well between the two looks
        if not info.live:
            return info
        if (self.folder / "stop").exists():
            return dataclasses.replace(info, state="stopped", error="stopped on request")
        return dataclasses.replace(
            info,
            state="died",
            error="the process died without a word (killed, or out of memory)",
            hint="its log may say more; what it had finished is intact, so start it again",
        )

    def _read(self) -> JobInfo:
        path = self.folder / "job.json"
        try:
            return dataclass_from_json(JobInfo, read_json(path))
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise RunError(f"{path} is damaged: {one_line(error)}") from error

    def _alive(self, info: JobInfo) -> bool:
        child = _children.get(self.folder)
        if child is not None and child.poll() is not None:
            return False
        if info.state == "starting":
            age = datetime.now().astimezone() - datetime.fromisoformat(info.started).astimezone()
            return abs(age.total_seconds()) < _START_SECONDS  # a clock that was put back, or a file that lies
        try:
            with filelock.FileLock(self.folder / ".lock", timeout=0):
                return False
        except filelock.Timeout:
            return True
        except OSError as error:  # nobody is at work on a read-only disk; somebody may be in a folder of theirs
            return error.errno != errno.EROFS and _exists(info.pid)

    def events(self, offset: int = 0) -> tuple[list[events.Event], int]:
        """The events from a byte offset on, and the offset to go on from; half a line waits for its end.

        Of more than `_READ_WHOLE` bytes only a share of the lines is taken, evenly; stages and the ends of epochs
        always, and the newest line.
        """
        found: list[events.Event] = []
        try:
            with open_regular_file(self.folder / "events.jsonl") as file:
                every = max(1, (file.seek(0, os.SEEK_END) - offset) // _READ_WHOLE)
                file.seek(offset)
                rest = b""
                while block := file.read(_BLOCK):
                    block = rest + block
                    whole = block[: block.rfind(b"\n") + 1]
                    rest = block[len(whole) :]
                    offset += len(whole)
                    if len(rest) > _LONGEST_LINE:  # none of ours
                        offset, rest = offset + len(rest), b""
                    found += _parsed(whole, every)
        except OSError:
            pass
        return found, offset

    def log(self) -> str:
        """What went to `log.txt`; nothing of a file that is no part of the run."""
        try:
            path = Run(self.folder.parent.parent).file(f"jobs/{self.folder.name}/log.txt")
            return path.read_text(encoding="utf-8", errors="replace")
        except (RunError, OSError):
            return ""

    @property
    def stop_requested(self) -> bool:
        """Whether a stop was asked for."""
        return (self.folder / "stop").exists()

    def stop(self) -> None:
        """Ask for a stop: a training saves and ends within one batch; other stages end at once.

        Raises RunError where the disk refuses.
        """
        request = self.folder / "stop"
        if request.exists():
            return  # a second signal would cut off the saving that the first one asked for
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


def _parsed(block: bytes, every: int) -> Iterator[events.Event]:
    """The events of a block of lines: of each `every`-th, of the last, and of those that a page cannot do without."""
    lines = block.splitlines()
    if every > 1 and lines and not _telling(block):
        lines, every = [*lines[:-1:every], lines[-1]], 1
    for place, line in enumerate(lines):
        if place % every and place + 1 < len(lines) and not _telling(line):
            continue
        with contextlib.suppress(ValueError):
            event = events.from_json(parse_json(line))
            if event is not None:
                yield event


def _telling(text: bytes) -> bool:
    """Whether a line, or one in a block of them, begins or ends a stage or an epoch."""
    return b'"kind": "stage-' in text or text.count(b'"validation_loss": null') < text.count(b'"validation_loss"')


def start(run: Run, arguments: Sequence[str]) -> JobView:
    """Start `python -m convnet_core <arguments> --run <run>` in a process of its own, and do not wait.

    The process outlives whoever starts it. Its folder is there when this returns. Raises BusyError where a job is at
    work on the run, RunError where the disk refuses.
    """
    found = current(run)
    if found is not None and found[1].live:
        raise BusyError(f"{found[1].command} is at work on the run {run.name}", "wait for its end, or stop it")
    if bad := next((item for item in arguments if "\0" in item), None):
        raise RunError(f"{bad!r} holds a zero byte, which no command can be given")
    with disk_errors.disk_errors_as_run_error(run.path):
        return _started(run, arguments, new_job_id(arguments[0]))


def _started(run: Run, arguments: Sequence[str], job_id: str) -> JobView:
    folder = run.path / "jobs" / job_id
    folder.mkdir(parents=True)
    info = JobInfo(id=job_id, command=arguments[0], state="starting", started=now(), pid=0)
    write_json(folder / "job.json", dataclasses.asdict(info))
    with (folder / "log.txt").open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "convnet_core", *arguments, "--run", str(run.path), "--job", job_id],
            cwd=Path.cwd(),
            env=environment(GOMP_SPINCOUNT=_SPIN_COUNT),
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


def current(run: Run) -> tuple[JobView, JobInfo] | None:
    """The job to show for a run: the one at work, else the newest that did something and can be read."""
    found = []
    for view in list_jobs(run):
        with contextlib.suppress(RunError):
            found.append((view, view.info))
    return next((item for item in found if item[1].live), next((i for i in found if i[1].state != "refused"), None))


def newest(run: Run, *commands: str) -> tuple[JobView, JobInfo] | None:
    """The newest job of a run that did one of these commands and can be read."""
    for view in list_jobs(run):
        with contextlib.suppress(RunError):
            info = view.info
            if info.command in commands:
                return view, info
    return None
