"""A model that somebody uploads: where it waits, what is asked of it, and the limits that it is opened under."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import FrameType

from convnet_core.common import disk_errors
from convnet_core.errors import ModelError, RunError
from convnet_core.jobs.job_info import JobInfo
from convnet_core.runs.library import delete_runs, label_of, new_run
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import UPLOAD

MOST_MB = 200
"""The largest file that the app takes; `.streamlit/config.toml` says the same to the browser."""

_MOST_MEMORY = 8 * 2**30  # bytes of address space: the file some ten times over, and the libraries
_MOST_SECONDS = 120  # of the processor
_SECONDS_TO_END = 10  # of the processor, after those
NO_LIMIT = "on the command line there is no such limit: `python -m convnet_core convert --onnx FILE`"


def receive(root: Path, name: str, content: memoryview) -> tuple[Run, Path]:
    """Make a run named after an uploaded file, and write the file into it; the run and the file.

    Of `name` only letters and digits of any script are kept, and hyphens between them. Raises ModelError where the file
    is empty or too large, RunError where the disk does not take it; nothing is left then.
    """
    stem = PurePosixPath(PureWindowsPath(name).name).stem
    label = label_of(stem) or "model"
    if not content.nbytes:
        raise ModelError(f"{label}.onnx is an empty file", hint="export it again, or choose another file")
    if content.nbytes > MOST_MB * 10**6 * 1.05:  # a browser counts a MB as 2**20 bytes
        raise ModelError(
            f"{label}.onnx has {content.nbytes / 1e6:,.0f} MB; the app takes {MOST_MB}",
            hint="on the command line it may be larger: `python -m convnet_core convert --onnx FILE`",
        )
    run = new_run(root, label, kind="model")
    file = run.path / UPLOAD / f"{label}.onnx"
    try:
        with disk_errors.disk_errors_as_run_error(run.path):
            file.parent.mkdir()
            file.write_bytes(content)
    except RunError:
        delete_runs([run])
        raise
    return run, file


def is_refused(run: Run) -> bool:
    """Whether the run was made for an upload, and nothing came of it. Not while a job is at work on it."""
    return run.is_model and run.record("export") is None


def why_refused(job: JobInfo) -> ModelError:
    """Why nothing came of an upload, from the end of its job."""
    if job.state == "died":
        return ModelError(
            "the process that opened the file died, most likely since that took more memory than there is, "
            f"or more than {_MOST_SECONDS} s of the processor",
            hint=f"where the machine was restarted meanwhile, upload it again; {NO_LIMIT}",
        )
    return ModelError(job.error or "nothing came of the upload", job.hint)


def forget(run: Run) -> None:
    """Remove the file that `receive` wrote."""
    shutil.rmtree(run.path / UPLOAD, ignore_errors=True)


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """Bounds on the memory and the processor time of this process, for as long as a foreign file is opened.

    Beyond them ModelError is raised. Inside a library none of Python's handlers runs, neither the one of the time nor
    the one of a stop: one that does not come back soon after the limit takes the process with it.
    """
    memory, seconds = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    before = signal.signal(signal.SIGXCPU, _out_of_time)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_lower(_MOST_MEMORY, memory[1]), memory[1]))
        resource.setrlimit(resource.RLIMIT_CPU, (_lower(int(used) + _MOST_SECONDS, seconds[1]), seconds[1]))
        with _ended_after(_MOST_SECONDS + _SECONDS_TO_END):
            yield
    except MemoryError as error:
        raise ModelError(
            f"the model needs more than {_MOST_MEMORY // 2**30} GiB of memory to be opened",
            hint=NO_LIMIT,
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, seconds)
        resource.setrlimit(resource.RLIMIT_AS, memory)
        signal.signal(signal.SIGXCPU, before)


@contextlib.contextmanager
def _ended_after(seconds: int) -> Iterator[None]:
    """Have the kernel end this process after so many seconds of the processor.

    By a timer, whose signal does that: a hard limit could not be lifted afterwards.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _lower(limit: int, hard: int) -> int:
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise ModelError(
        f"the model takes more than {_MOST_SECONDS} s to be opened",
        hint=NO_LIMIT,
    )
