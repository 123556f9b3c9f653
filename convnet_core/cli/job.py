"""What the commands that run stages share: the job, importing a model first, the comparison's result."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from convnet_core.cli import tables
from convnet_core.cli.progress import ProgressDisplay
from convnet_core.cli.resolve import short_path
from convnet_core.cli.terminal import error_console, print_results, redirect_output
from convnet_core.compare import report_file
from convnet_core.config.stages import ConvertConfig
from convnet_core.errors import ConvNetError, Stopped
from convnet_core.events import Message
from convnet_core.jobs.job import Job, open_job
from convnet_core.runs import library
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, CONVERT_STAGES, STAGES
from convnet_core.tensors.model_inputs import InputSpec

if TYPE_CHECKING:
    from convnet_core.convert.loaded_model import LoadedModel

AGREE, DISAGREE = 0, 1
"""Exit statuses."""


@contextlib.contextmanager
def command_job(args: argparse.Namespace, run: Run, command: str) -> Iterator[Job]:
    """Run as a job: progress goes to standard error, output of the libraries to the job's log.

    A run that was created for this command is deleted if the command fails before it has written anything.
    """
    with error_console() as console:
        if args.job is None:
            console.print(f"run: {escape(short_path(run))}")
        new = args.job is None and not any((run.path / name).exists() for name in ("jobs", *STAGES))
        try:
            with (
                open_job(run, command, args.job, observers=[display := ProgressDisplay(console)]) as job,
                redirect_output(job.folder / "log.txt"),
            ):
                with display:
                    yield job
                stale = [stage for stage in STAGES if run.state(stage).state == "stale"]
                if stale:
                    console.print(f"[yellow]out of date now[/]: {', '.join(stale)}; run them again")
        except ConvNetError as error:
            if isinstance(error, Stopped) and (run.path / CHECKPOINT).is_dir():
                error.hint = f"`python -m convnet_core train --resume --run {short_path(run)}` goes on from here"
            if new and not any((run.path / name).exists() for name in (CHECKPOINT, *STAGES)):
                with contextlib.suppress(ConvNetError):  # report the first error, not this one
                    library.delete_runs([run])
            raise


def import_model(args: argparse.Namespace, run: Run, job: Job) -> LoadedModel | None:
    """Make the file of --onnx the run's model, unless it already is. Returns the model if this loaded it."""
    if args.onnx is None:
        return None
    from convnet_core.onnx_files import model_file
    from convnet_core.stages.import_onnx import run_import_onnx

    file, record = model_file.open_file(args.onnx), run.record("export")
    if record is not None and record.inputs.get("onnx") == file.fingerprint():
        return None
    announce_replacement(run, args.onnx.name, job)
    _, model = run_import_onnx(run, file, job)
    return model


def announce_replacement(run: Run, source: str, job: Job) -> None:
    """Notify the user if the run already has a model, which `source` is about to replace."""
    if run.record("export") is not None:
        job.emit(Message(text=f"{source} replaces the run's previous model"))


def import_and_convert(args: argparse.Namespace, run: Run, job: Job, input_spec: InputSpec) -> LoadedModel | None:
    """Import the file of --onnx, and convert it if no converter has. Returns the model if this loaded it."""
    model = import_model(args, run, job)
    if args.onnx is not None and all(run.state(stage).state != "fresh" for stage in CONVERT_STAGES):
        from convnet_core.stages.convert import run_convert

        run_convert(run, ConvertConfig(), job, input_spec=input_spec, model=model)
    return model


def print_comparison(args: argparse.Namespace, run: Run) -> int:
    """Print the run's comparison; the exit status that it stands for."""
    report = report_file.load(run)
    path = f"report: {short_path(run)}/compare/report.html"
    print_results(args, report.to_json(), tables.runtimes(report), tables.verdict(report), path)
    return AGREE if report.agree else DISAGREE
