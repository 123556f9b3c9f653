"""A run is a folder; each stage has a folder in it that is complete or not there.

A stage writes into `<stage>.new-<id>`, its `stage.json` last; then the folder is swapped in by two
renames (`os.replace` onto a folder that is not empty fails):

    <stage>          -> <stage>.old-<id>
    <stage>.new-<id> -> <stage>

A swap that was cut off is finished, and leftovers are cleared, by whoever opens the run next and
gets its lock. `stage.json` holds the SHA-256 of every input and output, so that the state of a stage
(missing, fresh, stale) is derived and never stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import filelock

from convnet_core.common import disk_errors
from convnet_core.common.files import digest, new_id, read_json, write_json
from convnet_core.errors import BusyError, RunError, one_line
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES, LESSON_STAGES, PIPELINE, STAGES, UPLOAD
from convnet_core.runs.stage_record import Draft, StageRecord, StageState, now, outputs_of, read_record

log = logging.getLogger(__name__)


_DRAFT_SECONDS = 600
_LEFTOVER = re.compile(r"^(?P<stage>.+)\.(?P<kind>new|old)-(?P<id>[0-9a-f]+)$")


def is_run(path: Path) -> bool:
    """Whether a folder is a run. Raises RunError where it cannot be looked at."""
    try:
        return (path / "run.json").is_file()
    except OSError as error:  # a name that is too long, a folder that we may not read
        raise RunError(f"{path} cannot be read: {error.strerror}", hint="name another folder with --run") from error


class Run:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @classmethod
    def create(cls, path: Path, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
        """Make a run's folder, or give an empty folder a `run.json`. Raises RunError where it cannot be."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunError(f"{path} is not empty and is no run", hint="name another folder with --run")
            write_json(path / "run.json", {"kind": kind, "title": title or path.name, "created": now()})
        except OSError as error:
            raise RunError(f"cannot make the run {path}: {error.strerror}") from error
        return cls(path.resolve())

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run; a swap that was cut off is finished first. Raises RunError where there is none."""
        run = cls(path.resolve())
        if not is_run(run.path):
            raise RunError(
                f"{path} is not a run: it has no run.json", hint="`python -m convnet_core runs` lists the runs"
            )
        if run._leftovers():
            with contextlib.suppress(BusyError, OSError), run.lock(timeout=0):  # OSError: a read-only folder
                run.recover()
        return run

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`. Raises RunError where it cannot be read."""
        try:
            value = read_json(self.path / "run.json")
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / 'run.json'} cannot be read: {one_line(error)}") from error
        if not isinstance(value, dict):
            raise RunError(f"{self.path / 'run.json'} does not hold a JSON object")
        return value

    @property
    def is_model(self) -> bool:
        """Whether it holds a model from elsewhere, of which nothing is known but its file; else one that reads digits.

        Raises RunError where `run.json` cannot be read.
        """
        return bool(self.info.get("kind", "digits") == "model")

    @contextlib.contextmanager
    def lock(self, timeout: float = 2.0) -> Iterator[None]:
        """Hold the run for writing; raises BusyError after `timeout` seconds.

        The operating system lets go of the lock when the process dies, however it dies.
        """
        try:
            with filelock.FileLock(self.path / ".lock", timeout=timeout):
                yield
        except filelock.Timeout as error:
            raise BusyError(
                f"another job is at work on the run {self.name}", hint="wait for it, stop it, or choose another --run"
            ) from error

    @contextlib.contextmanager
    def writing(self, stage: str, config: Mapping[str, Any], inputs: tuple[str, ...] = ()) -> Iterator[Draft]:
        """A new folder for a stage, swapped in when the block ends well and removed when it does not.

        `inputs` are paths inside the run; their digests are taken now, before the work.
        The caller holds the run's lock.
        """
        target = self.path / stage
        mark = new_id()
        new = target.with_name(f"{target.name}.new-{mark}")
        old = target.with_name(f"{target.name}.old-{mark}")
        began = time.monotonic()
        with disk_errors.disk_errors_as_run_error(target):
            try:
                new.mkdir(parents=True)
                draft = Draft(new, inputs={name: digest(self.path / name) for name in inputs})
                yield draft
                record = StageRecord(
                    stage=stage,
                    created=now(),
                    seconds=round(time.monotonic() - began, 3),
                    config=dict(config),
                    result=draft.result,
                    inputs=draft.inputs,
                    outputs=outputs_of(new),
                    versions=draft.versions,
                )
                write_json(new / "stage.json", dataclasses.asdict(record))
                if target.exists():
                    os.replace(target, old)
                os.replace(new, target)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                if not old.exists():  # else the swap was cut between its renames: recover() needs the new folder
                    shutil.rmtree(new, ignore_errors=True)

    def discard(self, stage: str) -> None:
        """Remove a stage's folder, so that it is whole until it is gone."""
        target = self.path / stage
        if target.exists():
            doomed = target.with_name(f"{target.name}.new-{new_id()}")
            os.replace(target, doomed)
            shutil.rmtree(doomed)

    def recover(self) -> None:
        """Finish or undo swaps that were cut off, and clear leftovers. The caller holds the run's lock."""
        for path, match in self._leftovers():
            target = path.with_name(match["stage"])
            if match["kind"] == "old" and not target.exists():
                new = path.with_name(f"{match['stage']}.new-{match['id']}")
                os.replace(new if (new / "stage.json").is_file() else path, target)
                log.info("finished a swap of %s that was cut off", target)
        for path, _ in self._leftovers():
            shutil.rmtree(path, ignore_errors=True)
        for draft in (*self.path.glob(".run.json.*"), *self.path.glob("jobs/*/.job.json.*")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:  # a younger one may be somebody's at work
                    draft.unlink()
        if (self.path / "export").is_dir():  # what was uploaded is in there; its job was killed before it removed this
            shutil.rmtree(self.path / UPLOAD, ignore_errors=True)

    def _leftovers(self) -> list[tuple[Path, re.Match[str]]]:
        folders = (self.path, self.path / "convert", self.path / LESSON_STAGES)
        paths = (path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir())
        return [(path, match) for path in paths if (match := _LEFTOVER.match(path.name))]

    def record(self, stage: str) -> StageRecord | None:
        """What `stage.json` says; None where the stage is missing. Raises RunError where it is damaged."""
        path = self.path / stage / "stage.json"
        for _ in range(20):
            try:
                return read_record(path)
            except FileNotFoundError:
                # A writer may stand between its two renames: microseconds, then the folder is there.
                if not list(path.parent.parent.glob(f"{path.parent.name}.old-*")):
                    return None
                time.sleep(0.01)
            except (OSError, ValueError, TypeError, OverflowError) as error:
                raise RunError(f"{path} is damaged: {one_line(error)}", hint=f"run the stage {stage} again") from error
        return None

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of the pipeline, and the others that the run has. A model from elsewhere has no training."""
        pipeline = PIPELINE[1:] if self.is_model else PIPELINE
        return tuple(stage for stage in STAGES if stage in pipeline or self.state(stage).state != "missing")

    @property
    def model_files(self) -> tuple[str, ...]:
        """The run's ONNX model, and the file with its weights where it is too large for one."""
        files = ("export/model.onnx", "export/model.data")
        return tuple(name for place, name in enumerate(files) if not place or (self.path / name).is_file())

    def command_for(self, stage: str) -> str:
        """The command that makes a stage."""
        command, _, part = stage.partition("/")
        choice = f" --converter {part}" if stage in CONVERT_STAGES[1:] else ""
        if command == LESSON_STAGES:
            command, choice = "dissect", f" --lesson {part}"
        return f"python -m convnet_core {command} --run {self.path}{choice}"

    def file(self, name: str, hint: str = "") -> Path:
        """The file at a path inside the run. Every reader asks here, since a run may come from a stranger.

        Raises RunError where it is gone, or is a link to what is no part of the run. The hint is by default to run the
        stage again in whose folder it lies.
        """
        path = self.path / name
        hint = hint or self.command_for(name.rpartition("/")[0])
        if not path.is_file():
            raise RunError(f"{path} is gone", hint)
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise RunError(f"{path} leads out of the run's folder", hint)
        return path

    def need(self, stage: str) -> StageRecord:
        """The record of a stage that the next one stands on. Raises RunError where it is missing."""
        record = self.record(stage)
        if record is None:
            raise RunError(f"the run {self.name} has no {stage} yet", hint=f"first: {self.command_for(stage)}")
        return record

    def state(self, stage: str) -> StageState:
        """Derived from the digests: stale when an input, or anything before it, has changed since."""
        try:
            record = self.record(stage)
            reason = self._stale(stage, record) if record else ""
        except RunError as error:
            return StageState("stale", str(error))
        if record is None:
            return StageState("missing")
        return StageState("stale", reason) if reason else StageState("fresh")

    def stale_stages(self, before: str) -> list[str]:
        """A sentence for each stage ahead of one that is stale, to warn whoever works on from it."""
        ahead = STAGES[: STAGES.index(before)]
        states = {stage: self.state(stage) for stage in ahead}
        return [f"{stage} is stale: {state.reason}" for stage, state in states.items() if state.state == "stale"]

    def _stale(self, stage: str, record: StageRecord) -> str:
        """Why a stage is stale; empty when it is fresh."""
        for name, recorded in record.outputs.items():
            if self._digest(self.path / stage / name, recorded) != recorded["sha256"]:
                return f"{stage}/{name} is not what the stage wrote"
        earlier = STAGES[: STAGES.index(stage)] if stage in STAGES else STAGES
        ahead: dict[str, StageRecord | None] = {}
        for name, digest_then in record.inputs.items():
            before = next((other for other in earlier if (name + "/").startswith(other + "/")), None)
            if before is None:
                continue  # something outside the run: noted, not watched
            first = before not in ahead
            if first:
                ahead[before] = self.record(before)
            upstream = ahead[before]
            if digest_then == ABSENT:
                if upstream is not None:
                    return f"{before} was made since"
                continue
            if upstream is None:
                return f"{before} is no longer there"
            known = upstream.outputs.get(name.removeprefix(before + "/"))
            if self._digest(self.path / name, known) != digest_then:
                return f"{name} has changed since"
            if first and self.state(before).state == "stale":
                return f"{before} is stale"
        return ""

    @staticmethod
    def _digest(path: Path, recorded: dict[str, Any] | None) -> str:
        """The digest of a file, taken from the record where size and time say that it is unchanged."""
        try:
            stat = path.stat()
            if recorded and (stat.st_size, stat.st_mtime_ns) == (recorded["bytes"], recorded["mtime_ns"]):
                return str(recorded["sha256"])
            return digest(path)
        except (OSError, ValueError):  # not there, a folder, or no name that a file can have
            return ""
