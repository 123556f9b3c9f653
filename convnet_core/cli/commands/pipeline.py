"""What each command does: configs from flags, a run, a job, the stages, the results."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.markup import escape

from convnet_core.cli import resolve, tables
from convnet_core.cli.commands.app import app
from convnet_core.cli.commands.check import check
from convnet_core.cli.commands.data import show_data
from convnet_core.cli.commands.pack import pack, snippet
from convnet_core.cli.commands.predict import predict
from convnet_core.cli.config_flags import apply, explicit_fields
from convnet_core.cli.progress import ProgressDisplay
from convnet_core.cli.resolve import shown
from convnet_core.cli.terminal import chatter_to, results, standard_error
from convnet_core.common.files import read_json
from convnet_core.compare import report
from convnet_core.config.stages import (
    BenchmarkConfig,
    CompareConfig,
    ConvertConfig,
    DissectConfig,
    ExportConfig,
    TrainConfig,
)
from convnet_core.convert.targets.table import select_targets
from convnet_core.errors import ConfigError, ConvNetError, UnsupportedOpError
from convnet_core.events import Message
from convnet_core.graphs import graph_file
from convnet_core.jobs.job import Job, open_job
from convnet_core.jobs.overview import overview
from convnet_core.runs import library
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES, STAGES
from convnet_core.tensors.model_inputs import InputSpec

_AGREE, _DISAGREE = 0, 1


def pipeline(args: argparse.Namespace) -> int:
    train, export = resolve.train_config(args), apply(args, ExportConfig())
    convert, compare = _convert_config(args), apply(args, CompareConfig())
    run = resolve.run_to_write(args, f"{resolve.preset(args)}-{Path(train.data.source).name}")
    with _job(args, run, "pipeline") as job:
        from convnet_core.stages.compare import run_compare
        from convnet_core.stages.convert import run_convert
        from convnet_core.stages.export import run_export
        from convnet_core.stages.train import run_train

        run_train(run, train, job)
        run_export(run, export, job)
        run_convert(run, convert, job)
        run_compare(run, compare, job)
    return _report(args, run)


def train(args: argparse.Namespace) -> int:
    if args.resume:
        if args.run is None:
            raise ConfigError("--resume needs --run: the run whose training was stopped")
        if explicit_fields(args, TrainConfig) or hasattr(args, "preset"):
            raise ConfigError("--resume goes on with the settings that the training began with; leave the others out")
        run, config = resolve.named_run(args, args.run), TrainConfig()
    else:
        config = resolve.train_config(args)
        run = resolve.run_to_write(args, f"{resolve.preset(args)}-{Path(config.data.source).name}")
    with _job(args, run, "train") as job:
        from convnet_core.stages.train import run_train

        result = run_train(run, config, job, resume=args.resume)
    line = f"{100 * result.test_accuracy:.2f} % of the test images read right; the weights are in {shown(run)}/train"
    results(args, {"run": str(run.path), **dataclasses.asdict(result)}, line)
    return 0


def export(args: argparse.Namespace) -> int:
    config = apply(args, ExportConfig())
    if args.example and not args.factory:
        raise ConfigError("--example says what the network of --factory takes, which is not given")
    if args.factory:
        run = resolve.run_for_model(args, args.factory.rpartition(":")[2], args.factory)
    else:
        run = resolve.run_to_write(args, "export") if args.weights else resolve.existing_run(args, "train")
    with _job(args, run, "export") as job:
        from convnet_core.stages.export import run_export
        from convnet_core.stages.export_factory import run_export_factory

        if args.factory:
            replaces(run, args.factory, job)
            result = run_export_factory(run, args.factory, args.example, config, job)
        else:
            result = run_export(run, config, job, weights=args.weights)
    results(args, {"run": str(run.path), **dataclasses.asdict(result)}, f"{shown(run)}/export/model.onnx")
    return 0


def _convert_config(args: argparse.Namespace) -> ConvertConfig:
    """Raises ConfigError, also for a format that is not in the table of targets."""
    config = apply(args, ConvertConfig())
    select_targets(config.only)
    return config


def convert(args: argparse.Namespace) -> int:
    config = _convert_config(args)
    if args.check:
        return check(args)
    run = resolve.run_of_model(args)
    with _job(args, run, "convert") as job:
        from convnet_core.stages.convert import run_convert

        bring_in(args, run, job)
        result = run_convert(
            run,
            config,
            job,
            data_config=resolve.other_data(args, data_of(run)),
            input_spec=resolve.given_inputs(args),
            samples=args.calibration,
        )
    files = [f"{shown(run)}/convert/{config.converter}/{file}" for file in result.sizes]
    results(args, {"run": str(run.path), **dataclasses.asdict(result)}, *files)
    return 0


def bring_in(args: argparse.Namespace, run: Run, job: Job) -> None:
    """Make the file of --onnx the run's model, where it is not that already; another model before it is replaced."""
    if args.onnx is not None:
        from convnet_core.onnx_files import model_file
        from convnet_core.stages.import_onnx import run_import_onnx

        record = run.record("export")
        if record is None or record.inputs.get("onnx") != model_file.fingerprint(args.onnx):
            replaces(run, args.onnx.name, job)
            run_import_onnx(run, args.onnx, job)


def replaces(run: Run, source: str, job: Job) -> None:
    """Say so where a run has a model already."""
    if run.record("export") is not None:
        job.emit(Message(text=f"{source} takes the place of the model that the run had"))


def converted(args: argparse.Namespace, run: Run, job: Job, inputs: InputSpec) -> None:
    """Bring in the file of --onnx, and convert it where no converter has."""
    bring_in(args, run, job)
    if args.onnx is not None and all(run.state(stage).state != "fresh" for stage in CONVERT_STAGES):
        from convnet_core.stages.convert import run_convert

        run_convert(run, ConvertConfig(), job, input_spec=inputs)


def upload(args: argparse.Namespace) -> int:
    """Bring in a file that nobody vouches for; it is removed, whatever comes of it."""
    from convnet_core.jobs.upload import delete_upload, limit_resources

    run = resolve.run_of_upload(args)
    with _job(args, run, "upload") as job:
        try:
            with limit_resources():
                from convnet_core.onnx_files import model_file
                from convnet_core.stages.import_onnx import run_import_onnx

                result = run_import_onnx(run, args.onnx, job, model_file.load_untrusted)
        finally:
            delete_upload(run)
    results(args, {"run": str(run.path), **dataclasses.asdict(result)}, f"{shown(run)}/export/model.onnx")
    return 0


def compare(args: argparse.Namespace) -> int:
    config = apply(args, CompareConfig())
    run = resolve.run_of_model(args)
    with _job(args, run, "compare") as job:
        from convnet_core.stages.compare import run_compare

        inputs = resolve.given_inputs(args)
        converted(args, run, job, inputs)
        run_compare(run, config, job, data_config=resolve.other_data(args, data_of(run)), input_spec=inputs)
    return _report(args, run)


def benchmark(args: argparse.Namespace) -> int:
    config = apply(args, BenchmarkConfig())
    run = resolve.run_of_model(args)
    with _job(args, run, "benchmark") as job:
        from convnet_core.stages.benchmark import run_benchmark

        converted(args, run, job, InputSpec())
        result = run_benchmark(run, config, job)
    results(args, {"run": str(run.path), **result.to_json()}, tables.benchmark(result), *tables.faults(result))
    return 0


def dissect(args: argparse.Namespace) -> int:
    config = apply(args, DissectConfig())
    run = resolve.run_of_model(args)
    with _job(args, run, "dissect") as job:
        from convnet_core.dissect.report.content import stage_of
        from convnet_core.stages.convert import run_convert
        from convnet_core.stages.dissect import run_dissect

        inputs = resolve.given_inputs(args)
        bring_in(args, run, job)
        state = run.state(f"convert/{config.converter}").state
        if state == "missing" or (state == "stale" and args.onnx is not None):
            with contextlib.suppress(UnsupportedOpError):  # the dissection says which, and who has it
                run_convert(run, ConvertConfig(converter=config.converter), job, input_spec=inputs)
        found = run_dissect(
            run, config, job, input_spec=inputs, factory=args.factory or "", examples=tuple(args.example)
        )
    stage = stage_of(config.lesson)
    content = read_json(run.path / stage / "dissection.json")
    where = f"report: {shown(run)}/{stage}/report.html"
    results(args, content, tables.dissection(content), *tables.dissected(content), *tables.findings(content), where)
    return _DISAGREE if found else _AGREE


def refresh(args: argparse.Namespace) -> int:
    run = resolve.existing_run(args, "train")
    with _job(args, run, "refresh") as job:
        from convnet_core.stages.refresh import run_refresh

        done = run_refresh(run, job)
    if "compare" in done:
        return _report(args, run)
    results(args, {"run": str(run.path), "stages": done}, "everything is fresh")
    return _AGREE


def graph(args: argparse.Namespace) -> int:
    found = graph_file.of_file(args.onnx) if args.onnx else graph_file.of_run(resolve.existing_run(args, "export"))
    results(args, found.to_json(), *tables.graph(found))
    return 0


def runs(args: argparse.Namespace) -> int:
    if args.action == "rename":
        run = library.rename_run(resolve.named_run(args, args.name), args.new_name)
        results(args, {"run": str(run.path)}, f"renamed to {shown(run)}")
    elif args.action == "delete":
        found = [resolve.named_run(args, name) for name in args.names]  # all are there, or none is deleted
        library.delete_runs(found)
        results(args, {"deleted": [run.name for run in found]}, f"deleted {', '.join(run.name for run in found)}")
    else:
        lines = [overview(run) for run in library.list_runs(resolve.root(args))]
        nothing = f"no runs in {resolve.root(args)} yet; `python -m convnet_core pipeline` makes one"
        results(args, [line.to_json() for line in lines], tables.runs(lines) if lines else nothing)
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "pipeline": pipeline,
    "train": train,
    "export": export,
    "upload": upload,
    "convert": convert,
    "compare": compare,
    "benchmark": benchmark,
    "dissect": dissect,
    "refresh": refresh,
    "predict": predict,
    "graph": graph,
    "data": show_data,
    "pack": pack,
    "snippet": snippet,
    "runs": runs,
    "app": app,
}


@contextlib.contextmanager
def _job(args: argparse.Namespace, run: Run, command: str) -> Iterator[Job]:
    """Be a job: progress on standard error, the libraries' own chatter in the job's log.

    A run that was made for this command, and of which nothing came because of wrong input, is removed.
    """
    with standard_error() as console:
        if args.job is None:
            console.print(f"run: {escape(shown(run))}")
        fresh = args.job is None and not any((run.path / name).exists() for name in ("jobs", *STAGES))
        try:
            with (
                open_job(run, command, args.job, observers=[display := ProgressDisplay(console)]) as job,
                chatter_to(job.folder / "log.txt"),
            ):
                with display:
                    yield job
                stale = [stage for stage in STAGES if run.state(stage).state == "stale"]
                if stale:
                    console.print(f"[yellow]stale now[/]: {', '.join(stale)}; run them again")
        except ConvNetError:
            if fresh and not any((run.path / name).exists() for name in ("checkpoint", *STAGES)):
                with contextlib.suppress(ConvNetError):  # what went wrong first is what has to be told
                    library.delete_runs([run])
            raise


def _report(args: argparse.Namespace, run: Run) -> int:
    content = report.load(run)
    where = f"report: {shown(run)}/compare/report.html"
    results(args, content, tables.runtimes(content), tables.verdict(content), where)
    return _AGREE if content["verdict"] == "agree" else _DISAGREE
