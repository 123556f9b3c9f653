"""The runtimes of a run, and how to open each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from convnet_core.common.files import size_of
from convnet_core.errors import RunError
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runs.stage_results import ConversionResult
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.specs import SPECS, RuntimeSpec, available


@dataclass(frozen=True)
class Source:
    """A runtime that can be opened: its name, unique in the run, its converter, and its files.

    `files` are paths inside the run, `bytes` is their total size; `import_library` imports what `open` needs.
    """

    name: str
    converter: str | None
    files: tuple[str, ...]
    bytes: int
    import_library: Callable[[], object]
    open: Callable[[], Runtime]


def sources(run: Run, threads: int = 1) -> list[Source]:
    """The runtimes whose artifacts are in the run, PyTorch first. Opening one imports its library.

    Raises RunError if a file that a stage wrote is missing.
    """
    _check_artifacts(run)
    return [
        _source(run, stage, spec, threads)
        for stage in ("export", *CONVERT_STAGES)
        for spec in available()
        if spec.stage == stage.partition("/")[0]
        and (stage == "export" or run.record(stage) is not None)
        and (run.path / stage / spec.file).exists()  # some models cannot be written in every format
    ]


def not_made(run: Run) -> list[str]:
    """The runtimes whose artifacts a converter failed to write."""
    records = [(stage, run.record(stage)) for stage in CONVERT_STAGES]
    return [
        _name(spec, stage)
        for stage, record in records
        for file in (record.result_as(ConversionResult).failed if record else ())
        for spec in SPECS
        if spec.stage == "convert" and spec.file == file
    ]


def _check_artifacts(run: Run) -> None:
    for stage in ("export", *CONVERT_STAGES):
        record = run.record(stage)
        for name in record.outputs if record else ():
            path = run.path / stage / name
            if not path.is_file():
                raise RunError(_("{path} is missing", path=path), run.command_for(stage))


def _source(run: Run, stage: str, spec: RuntimeSpec, threads: int) -> Source:
    path = run.path / stage / spec.file
    name, converter = _name(spec, stage), stage.partition("/")[2] or None
    files = run.model_files if f"{stage}/{spec.file}" in run.model_files else _files(run, path)
    size = sum(size_of(run.path / file) for file in files)
    return Source(
        name, converter, files, size, spec.import_library, partial(_open, spec, path, name, converter, threads)
    )


def _open(spec: RuntimeSpec, path: Path, name: str, converter: str | None, threads: int) -> Runtime:
    runtime = spec.open(path, converter, threads)
    runtime.name = name
    return runtime


def _name(spec: RuntimeSpec, stage: str) -> str:
    """A runtime's name in its run: the spec's, with `<converter>/` in front for the second converter."""
    return spec.name if stage in ("export", CONVERT_STAGES[0]) else f"{stage.partition('/')[2]}/{spec.name}"


def _files(run: Run, path: Path) -> tuple[str, ...]:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return tuple(file.relative_to(run.path).as_posix() for file in files)
