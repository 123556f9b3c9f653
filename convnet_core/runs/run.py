"""A run is a folder. Each stage has a folder in it, which appears only once the stage has finished.

A stage writes into `<stage>.new-<id>`, `stage.json` last. Two renames then swap the new folder in
(`os.replace` fails if the target is a folder that is not empty):

    <stage>          -> <stage>.old-<id>
    <stage>.new-<id> -> <stage>

If a swap is interrupted, the next process that opens and locks the run finishes it and removes the
leftovers. `stage.json` contains the SHA-256 of each input and output: the state of a stage
(missing, fresh, stale) is computed from them and never stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import filelock

from convnet_core.common import disk_errors
from convnet_core.common.files import digest, new_id, read_json, write_json
from convnet_core.errors import BusyError, RunError, one_line
from convnet_core.language import _
from convnet_core.runs.stage_folders import ABSENT, CONVERT_STAGES, LESSON_STAGES, PIPELINE, STAGES, UPLOAD
from convnet_core.runs.stage_record import Draft, StageRecord, StageState, current_digest, now, outputs_of, read_record

log = logging.getLogger(__name__)

_DRAFT_SECONDS = 600
_LEFTOVER = re.compile(r"^(?P<stage>.+)\.(?P<kind>new|old)-(?P<id>[0-9a-f]+)$")


def is_run(path: Path) -> bool:
    """Whether a folder is a run. Raises RunError if it cannot be read."""
    try:
        return (path / "run.json").is_file()
    except OSError as error:  # the name is too long, or reading is not permitted
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=error.strerror), hint=_("choose another run (--run)")
        ) from error


class Run:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @classmethod
    def create(cls, path: Path, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
        """Create a run in a new or empty folder. Raises RunError if that fails."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunError(_("{path} is neither empty nor a run", path=path), hint=_("choose another run (--run)"))
            write_json(path / "run.json", {"kind": kind, "title": title, "created": now()})
        except OSError as error:
            raise RunError(_("cannot create the run {path}: {reason}", path=path, reason=error.strerror)) from error
        return cls(path.resolve())

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run, and recover from interrupted swaps. Raises RunError if `path` is not a run."""
        run = cls(path.resolve())
        if not is_run(run.path):
            raise RunError(
                _("{path} is not a run: it has no run.json", path=path),
                hint=_("`python -m convnet_core runs` lists the runs"),
            )
        if run._leftovers():
            with contextlib.suppress(BusyError, OSError), run.lock(timeout=0):  # OSError: a read-only folder
                run.recover()
        return run

    @property
    def info(self) -> dict[str, Any]:
        """The content of `run.json`. Raises RunError if it cannot be read."""
        try:
            value = read_json(self.path / "run.json")
        except (OSError, ValueError) as error:
            raise RunError(
                _("{path} cannot be read: {reason}", path=self.path / "run.json", reason=one_line(error))
            ) from error
        if not isinstance(value, dict):
            raise RunError(_("{path} is not a JSON object", path=self.path / "run.json"))
        return value

    @property
    def is_model(self) -> bool:
        """Whether this run has an imported model rather than one that reads digits.

        Raises RunError if `run.json` cannot be read.
        """
        return bool(self.info.get("kind", "digits") == "model")

    @contextlib.contextmanager
    def lock(self, timeout: float = 2.0) -> Iterator[None]:
        """Lock the run for writing. Raises BusyError after `timeout` seconds.

        The operating system releases the lock when the process ends, even in a crash.
        """
        try:
            with filelock.FileLock(self.path / ".lock", timeout=timeout):
                yield
        except filelock.Timeout as error:
            raise BusyError(
                _("another job is using the run {run}", run=self.name),
                hint=_("wait for it, stop it, or choose another run (--run)"),
            ) from error

    @contextlib.contextmanager
    def write_stage(self, stage: str, config: Mapping[str, Any], inputs: tuple[str, ...] = ()) -> Iterator[Draft]:
        """A new folder for a stage, which is swapped in if the block succeeds and removed if it raises.

        `inputs` are paths relative to the run; their digests are computed first. The caller must hold the run's lock.
        """
        target = self.path / stage
        swap_id = new_id()
        new = target.with_name(f"{target.name}.new-{swap_id}")
        old = target.with_name(f"{target.name}.old-{swap_id}")
        start = time.monotonic()
        with disk_errors.disk_errors_as_run_error(target):
            try:
                new.mkdir(parents=True)
                draft = Draft(new, inputs={name: digest(self.path / name) for name in inputs})
                yield draft
                record = StageRecord(
                    stage=stage,
                    created=now(),
                    seconds=round(time.monotonic() - start, 3),
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
                if not old.exists():  # else the swap was interrupted between its renames: recover() needs `new`
                    shutil.rmtree(new, ignore_errors=True)

    def discard(self, stage: str) -> None:
        """Delete a stage's folder; a rename first makes it disappear as a whole."""
        target = self.path / stage
        if target.exists():
            trash = target.with_name(f"{target.name}.new-{new_id()}")
            os.replace(target, trash)
            shutil.rmtree(trash)

    def recover(self) -> None:
        """Finish or undo interrupted swaps, and remove leftovers. The caller must hold the run's lock."""
        for path, match in self._leftovers():
            target = path.with_name(match["stage"])
            if match["kind"] == "old" and not target.exists():
                new = path.with_name(f"{match['stage']}.new-{match['id']}")
                os.replace(new if (new / "stage.json").is_file() else path, target)
                log.info("finished an interrupted swap of %s", target)
        for path, _match in self._leftovers():
            shutil.rmtree(path, ignore_errors=True)
        for draft in (*self.path.glob(".run.json.*"), *self.path.glob("jobs/*/.*.json.*")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:  # another process may be writing a newer one
                    draft.unlink()
        if (self.path / "export").is_dir():  # the upload is in there; a killed job did not remove its copy
            shutil.rmtree(self.path / UPLOAD, ignore_errors=True)

    def _leftovers(self) -> list[tuple[Path, re.Match[str]]]:
        folders = (self.path, self.path / "convert", self.path / LESSON_STAGES)
        paths = (path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir())
        return [(path, match) for path in paths if (match := _LEFTOVER.match(path.name))]

    def record(self, stage: str) -> StageRecord | None:
        """The content of a stage's `stage.json`; None if the stage is missing. Raises RunError if it is damaged."""
        path = self.path / stage / "stage.json"
        for _attempt in range(20):
            try:
                return read_record(path)
            except FileNotFoundError:
                # Another process may be between the two renames of a swap, which takes microseconds.
                if not list(path.parent.parent.glob(f"{path.parent.name}.old-*")):
                    return None
                time.sleep(0.01)
            except (OSError, ValueError, TypeError, OverflowError) as error:
                raise RunError(
                    _("{path} is damaged: {reason}", path=path, reason=one_line(error)),
                    hint=_("run the stage {stage} again", stage=stage),
                ) from error
        return None

    @property
    def stages(self) -> tuple[str, ...]:
        """The pipeline's stages, and other stages that the run has. An imported model has no training."""
        pipeline = PIPELINE[1:] if self.is_model else PIPELINE
        return tuple(stage for stage in STAGES if stage in pipeline or self.state(stage).state != "missing")

    @property
    def model_files(self) -> tuple[str, ...]:
        """The run's ONNX file, and the file with its weights if those are too large for the ONNX file."""
        files = ("export/model.onnx", "export/model.data")
        return tuple(name for place, name in enumerate(files) if not place or (self.path / name).is_file())

    def command_for(self, stage: str) -> str:
        """The shell command that runs a stage."""
        command, part = stage.partition("/")[::2]
        choice = f" --converter {part}" if stage in CONVERT_STAGES[1:] else ""
        if command == LESSON_STAGES:
            command, choice = "dissect", f" --lesson {part}"
        return f"python -m convnet_core {command} --run {shlex.quote(str(self.path))}{choice}"

    def file(self, name: str, hint: str = "") -> Path:
        """The absolute path of a file in the run. Read files only through this, since a run may be untrusted.

        Raises RunError if the file is missing, or is a link that leads out of the run. The default hint is to run the
        file's stage again.
        """
        path = self.path / name
        hint = hint or self.command_for(name.rpartition("/")[0])
        if not path.is_file():
            raise RunError(_("{path} is missing", path=path), hint)
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise RunError(_("{path} leads out of the run's folder", path=path), hint)
        return path

    def require(self, stage: str) -> StageRecord:
        """The record of a stage that another one needs. Raises RunError if the stage is missing."""
        record = self.record(stage)
        if record is None:
            raise RunError(
                _("the run {run} has no {stage} yet", run=self.name, stage=stage),
                hint=_("run first: {command}", command=self.command_for(stage)),
            )
        return record

    def state(self, stage: str) -> StageState:
        """The state of a stage, from the digests: stale if an output, an input or an earlier stage has changed."""
        try:
            record = self.record(stage)
            reason = self._why_stale(stage, record) if record else ""
        except RunError as error:
            return StageState("stale", str(error))
        if record is None:
            return StageState("missing")
        return StageState("stale", reason) if reason else StageState("fresh")

    def stale_stages(self, before: str) -> list[str]:
        """A warning for each stale stage before the stage `before`."""
        states = {stage: self.state(stage) for stage in STAGES[: STAGES.index(before)]}
        return [
            _("{stage} is out of date: {reason}", stage=stage, reason=state.reason)
            for stage, state in states.items()
            if state.state == "stale"
        ]

    def _why_stale(self, stage: str, record: StageRecord) -> str:
        """Why a stage is stale; empty if it is fresh."""
        for name, recorded in record.outputs.items():
            if current_digest(self.path / stage / name, recorded) != recorded["sha256"]:
                return _("{stage}/{name} is not what the stage wrote", stage=stage, name=name)
        earlier = STAGES[: STAGES.index(stage)] if stage in STAGES else STAGES
        records: dict[str, StageRecord | None] = {}
        for name, recorded_digest in record.inputs.items():
            source = next((other for other in earlier if (name + "/").startswith(other + "/")), None)
            if source is None:
                continue  # from outside the run: recorded, but never stale
            first = source not in records
            if first:
                records[source] = self.record(source)
            upstream = records[source]
            if recorded_digest == ABSENT:
                if upstream is not None and not record.used_conversion:
                    return _("{source} has been added since", source=source)
                continue
            if upstream is None:
                return _("{source} is missing", source=source)
            output = upstream.outputs.get(name.removeprefix(source + "/"))
            if current_digest(self.path / name, output) != recorded_digest:
                return _("{name} has changed since", name=name)
            if first and self.state(source).state == "stale":
                return _("{source} is out of date", source=source)
        return ""
