"""What each command does: configs from flags, a run, a job, the stages, the results."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from convnet_core import jobs, runs
from convnet_core.cli import show
from convnet_core.cli.flags import apply, given, overlay
from convnet_core.cli.progress import ProgressDisplay
from convnet_core.config import PRESETS, CompareConfig, ConvertConfig, DataConfig, ExportConfig, TrainConfig
from convnet_core.errors import ConfigError, RunError
from convnet_core.files import read_json
from convnet_core.overview import overview
from convnet_core.runs import Run

_AGREE, _DISAGREE = 0, 1


def pipeline(args: argparse.Namespace) -> int:
    train, export = _train_config(args), apply(args, ExportConfig())
    convert, compare = apply(args, ConvertConfig()), apply(args, CompareConfig())
    run = _run_to_write(args, f"{args.preset}-{Path(train.data.source).name}")
    with _job(args, run, "pipeline") as job:
        from convnet_core import stages

        stages.run_train(run, train, job)
        stages.run_export(run, export, job)
        stages.run_convert(run, convert, job)
        stages.run_compare(run, compare, job)
    return _report(args, run)


def train(args: argparse.Namespace) -> int:
    if args.resume:
        if args.run is None:
            raise ConfigError("--resume needs --run: the run whose training was stopped")
        if given(args, TrainConfig):
            raise ConfigError("--resume goes on with the settings that the training began with; leave the others out")
        run, config = _existing(args), TrainConfig()
    else:
        config = _train_config(args)
        run = _run_to_write(args, f"{args.preset}-{Path(config.data.source).name}")
    with _job(args, run, "train") as job:
        from convnet_core.stages import run_train

        result = run_train(run, config, job, resume=args.resume)
    _print(
        args,
        {"run": str(run.path), **dataclasses.asdict(result)},
        f"{100 * result.test_accuracy:.2f} % of the test images read right; the weights are in {_shown(run)}/train",
    )
    return 0


def export(args: argparse.Namespace) -> int:
    config = apply(args, ExportConfig())
    run = _run_to_write(args, "export") if args.weights else _existing(args)
    with _job(args, run, "export") as job:
        from convnet_core.stages import run_export

        result = run_export(run, config, job, weights=args.weights)
    _print(args, {"run": str(run.path), **dataclasses.asdict(result)}, f"{_shown(run)}/export/model.onnx")
    return 0


def convert(args: argparse.Namespace) -> int:
    config = apply(args, ConvertConfig())
    run = _existing(args)
    with _job(args, run, "convert") as job:
        from convnet_core.stages import run_convert

        result = run_convert(run, config, job, data_config=_other_data(args))
    _print(
        args,
        {"run": str(run.path), **dataclasses.asdict(result)},
        "\n".join(f"{_shown(run)}/convert/{config.converter}/{file}" for file in result.sizes),
    )
    return 0


def compare(args: argparse.Namespace) -> int:
    config = apply(args, CompareConfig())
    run = _existing(args)
    with _job(args, run, "compare") as job:
        from convnet_core.stages import run_compare

        run_compare(run, config, job, data_config=_other_data(args))
    return _report(args, run)


def predict(args: argparse.Namespace) -> int:
    run = _existing(args)
    from convnet_core.predict import predict_files

    with _console() as console, console.status("loading the runtimes"):
        answers = predict_files(run, args.images)
    _print(args, answers, *show.predictions(answers))
    return 0


def runs_command(args: argparse.Namespace) -> int:
    root = _root(args)
    if args.action == "rename":
        run = runs.rename_run(_named(root, args.name), args.new_name)
        _print(args, {"run": str(run.path)}, f"renamed to {_shown(run)}")
    elif args.action == "delete":
        found = [_named(root, name) for name in args.names]  # all are there, or none is deleted
        for run in found:
            runs.delete_run(run)
        _print(args, {"deleted": [run.name for run in found]}, f"deleted {', '.join(run.name for run in found)}")
    else:
        lines = [overview(run) for run in runs.list_runs(root)]
        nothing = f"no runs in {root} yet; `python -m convnet_core pipeline` makes one"
        _print(args, [line.to_json() for line in lines], show.runs(lines) if lines else nothing)
    return 0


def doctor(args: argparse.Namespace) -> int:
    from convnet_core.doctor import examine

    with _console() as console, console.status("looking around"):
        checks = examine()
    shown = [
        f"[{'green' if check.ok else 'red'}]{'✓' if check.ok else '✗'}[/] {check.name:<26} {check.found}"
        + (f"\n    mend it: [bold]{check.mend}[/]" if check.mend else "")
        for check in checks
    ]
    _print(args, [dataclasses.asdict(check) for check in checks], *shown)
    return 0 if all(check.ok for check in checks) else 2


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "pipeline": pipeline,
    "train": train,
    "export": export,
    "convert": convert,
    "compare": compare,
    "predict": predict,
    "runs": runs_command,
    "doctor": doctor,
}


# -- runs and configs of the flags ------------------------------------------------------------------


def _root(args: argparse.Namespace) -> Path:
    return getattr(args, "runs", None) or runs.runs_root()


def _named(root: Path, name: str) -> Run:
    """A run by its folder, else by its name under the root."""
    inside = root / name
    return Run.open(inside if (inside / "run.json").is_file() else Path(name))


def _run_to_write(args: argparse.Namespace, label: str) -> Run:
    """The run of --run, made where it is missing; a new one under the root without --run."""
    if args.run is None:
        return runs.new_run(_root(args), label)
    if (args.run / "run.json").is_file():
        return Run.open(args.run)
    return Run.create(args.run)


def _existing(args: argparse.Namespace) -> Run:
    """The run of --run, else the newest."""
    if args.run is not None:
        return _named(_root(args), str(args.run))
    found = runs.list_runs(_root(args))
    if not found:
        raise RunError(
            f"there is no run in {_root(args)} yet",
            hint="`python -m convnet_core pipeline` makes one, --run names one elsewhere",
        )
    print(f"the newest run: {_shown(found[0])}", file=sys.stderr)
    return found[0]


def _train_config(args: argparse.Namespace) -> TrainConfig:
    config = apply(args, PRESETS[args.preset])
    folder = config.data.folder or os.environ.get("CONVNET_DATA_DIR", "")
    return _absolute(config, folder if config.data.source == "mnist" else "")


def _absolute(config: TrainConfig, folder: str) -> TrainConfig:
    """Folders as absolute paths, so that later stages find them from anywhere."""
    changes: dict[tuple[str, ...], Any] = {
        ("data", "folder"): str(Path(folder).expanduser().resolve()) if folder else ""
    }
    if config.data.source not in ("strokes", "mnist"):
        changes["data", "source"] = str(Path(config.data.source).expanduser().resolve())
    return overlay(config, changes)


def _other_data(args: argparse.Namespace) -> DataConfig | None:
    """The data of the flags; None where none was given."""
    return apply(args, DataConfig()) if given(args, DataConfig) else None


# -- working and telling ----------------------------------------------------------------------------


@contextlib.contextmanager
def _job(args: argparse.Namespace, run: Run, command: str) -> Iterator[jobs.Job]:
    """Be a job: progress on standard error, the libraries' own chatter in the job's log."""
    with _console() as console:
        if args.job is None:
            console.print(f"run: {_shown(run)}", highlight=False)
        display = ProgressDisplay(console)
        with (
            jobs.working(run, command, args.job, observers=[display]) as job,
            _chatter_to(job.folder / "log.txt"),
            display,
        ):
            yield job


@contextlib.contextmanager
def _console() -> Iterator[Console]:
    """Standard error of its own, which stays when file descriptor 2 is sent elsewhere."""
    with os.fdopen(os.dup(2), "w", encoding="utf-8") as file:
        yield Console(file=file, soft_wrap=True)


@contextlib.contextmanager
def _chatter_to(path: Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to a file: TensorFlow and others write there from C++."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _report(args: argparse.Namespace, run: Run) -> int:
    content = read_json(run.path / "compare" / "report.json")
    _print(args, content, show.runtimes(content), show.verdict(content), f"report: {_shown(run)}/compare/report.html")
    return _AGREE if content["verdict"] == "agree" else _DISAGREE


def _print(args: argparse.Namespace, value: Any, *shown: Any) -> None:
    """Results on standard output: as JSON with --json, else for people."""
    if getattr(args, "json", False):
        print(json.dumps(value, indent=1, ensure_ascii=False))
    else:
        width = None if sys.stdout.isatty() else 110  # in a file a table may be as wide as it needs
        console = Console(width=width, highlight=False)
        for item in shown:
            console.print(item)


def _shown(run: Run) -> str:
    """The run's folder as short as it can be written from here."""
    here = Path.cwd()
    return str(run.path.relative_to(here)) if run.path.is_relative_to(here) else str(run.path)
