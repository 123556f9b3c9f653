"""The command `dissect`: what each node became, and where errors arise."""

from __future__ import annotations

import argparse
import contextlib

from convnet_core.cli import resolve, tables
from convnet_core.cli.job import AGREE, DISAGREE, command_job, import_model
from convnet_core.cli.shared_flags import add_factory, add_model, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.flags import add_config_flags, apply_flags
from convnet_core.config.stages import ConvertConfig, DissectConfig
from convnet_core.dissect.report import documents
from convnet_core.dissect.report.content import stage_of
from convnet_core.errors import UnsupportedOpError

EXAMPLE = "dissect --run runs/mine --lesson flatten-order"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The dissection config, and the model."""
    add_run(parser, "the newest run; with --onnx a new folder")
    add_model(parser)
    add_factory(parser)
    add_config_flags(parser, "dissection", DissectConfig)


def execute(args: argparse.Namespace) -> int:
    """Dissect the conversion, converting first if needed, and print the findings; 1 if there are any."""
    config = apply_flags(args, DissectConfig())
    run = resolve.run_of_model(args)
    with command_job(args, run, "dissect") as job:
        from convnet_core.stages.convert import run_convert
        from convnet_core.stages.dissect import run_dissect

        input_spec = resolve.input_spec(args)
        model = import_model(args, run, job)
        state = run.state(f"convert/{config.converter}").state
        if state == "missing" or (state == "stale" and args.onnx is not None):
            with contextlib.suppress(UnsupportedOpError):  # the dissection lists the operators and who supports them
                run_convert(run, ConvertConfig(converter=config.converter), job, input_spec=input_spec, model=model)
        findings = run_dissect(
            run, config, job, input_spec=input_spec, factory=args.factory or "", examples=tuple(args.example)
        )
    stage = stage_of(config.lesson)
    report = documents.load(run, stage)
    print_results(
        args,
        report.to_json(),
        tables.dissection(report),
        *tables.dissection_notes(report),
        *tables.findings(report),
        f"report: {resolve.short_path(run)}/{stage}/report.html",
    )
    return DISAGREE if findings else AGREE
