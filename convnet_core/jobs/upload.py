"""Uploaded models: where they are stored until they are imported, and limits on memory and time while opening them."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import FrameType

from convnet_core.common import disk_errors
from convnet_core.common.formatting import join_clauses
from convnet_core.errors import ModelError, RunError
from convnet_core.jobs.job_info import JobInfo
from convnet_core.language import N_, _
from convnet_core.runs.library import delete_runs, new_run, slug
from convnet_core.runs.names import MAX_TITLE
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import UPLOAD

MAX_MB = 200
"""The largest file that the app accepts; `.streamlit/config.toml` has the same limit for the browser."""

_MAX_MEMORY = 8 * 2**30  # bytes of address space: about ten times the file, and the libraries
_MAX_SECONDS = 120  # CPU time
_GRACE_SECONDS = 10  # CPU time after that until the process is killed
NO_LIMIT = N_("the command line has no such limit: `python -m convnet_core convert --onnx FILE`")


def receive(root: Path, name: str, content: memoryview) -> tuple[Run, Path]:
    """Create a run named after an uploaded file and write the file into it. Returns the run and the file's path.

    The folder's name keeps only letters and digits of any script, with hyphens between. Raises ModelError if the
    file is empty or too large, RunError if the disk fails; no run is left behind then.
    """
    file_name = PurePosixPath(PureWindowsPath(name).name).name
    label = slug(PurePosixPath(file_name).stem) or "model"
    if not content.nbytes:
        raise ModelError(
            _("{label}.onnx is an empty file", label=label), hint=_("export it again, or choose another file")
        )
    if content.nbytes > MAX_MB * 10**6 * 1.05:  # browsers count a MB as 2**20 bytes
        raise ModelError(
            _(
                "{label}.onnx has {megabytes:,.0f} MB; the app accepts up to {limit} MB",
                label=label,
                megabytes=content.nbytes / 1e6,
                limit=MAX_MB,
            ),
            hint=_("the command line accepts larger files: `python -m convnet_core convert --onnx FILE`"),
        )
    run = new_run(root, label, file_name[:MAX_TITLE], kind="model")
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
    """Whether the run was created for an upload that was not imported. Call it only while no job uses the run."""
    return run.is_model and run.record("export") is None


def why_refused(job: JobInfo) -> ModelError:
    """Why an upload was not imported, from the outcome of its job."""
    if job.state == "died":
        return ModelError(
            _(
                "the process that opened the file died, most likely because it ran out of memory or needed more than "
                "{seconds} s of CPU time",
                seconds=_MAX_SECONDS,
            ),
            hint=join_clauses([_("if the machine was restarted meanwhile, upload it again"), _(NO_LIMIT)]),
        )
    return ModelError(job.error or _("the upload was not imported"), job.hint)


def delete_upload(run: Run) -> None:
    """Delete the file that `receive` wrote."""
    shutil.rmtree(run.path / UPLOAD, ignore_errors=True)


@contextlib.contextmanager
def limit_resources() -> Iterator[None]:
    """Limit the memory and CPU time of this process while it opens an untrusted file.

    Raises ModelError beyond the limits. Python runs no signal handlers while a library's C++ code is running, neither
    for the time limit nor for a stop: if the library does not return soon after the limit, the process is killed.
    """
    memory, seconds = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    before = signal.signal(signal.SIGXCPU, _out_of_time)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_lower(_MAX_MEMORY, memory[1]), memory[1]))
        resource.setrlimit(resource.RLIMIT_CPU, (_lower(int(used) + _MAX_SECONDS, seconds[1]), seconds[1]))
        with _kill_after(_MAX_SECONDS + _GRACE_SECONDS):
            yield
    except MemoryError as error:
        raise ModelError(
            _("opening the model needs more than {gigabytes} GiB of memory", gigabytes=_MAX_MEMORY // 2**30),
            hint=_(NO_LIMIT),
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, seconds)
        resource.setrlimit(resource.RLIMIT_AS, memory)
        signal.signal(signal.SIGXCPU, before)


@contextlib.contextmanager
def _kill_after(seconds: int) -> Iterator[None]:
    """Have the kernel kill this process after `seconds` of CPU time.

    Uses a timer, whose signal kills the process: a hard limit could not be raised again afterward.
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
        _("opening the model takes more than {seconds} s", seconds=_MAX_SECONDS),
        hint=_(NO_LIMIT),
    )
