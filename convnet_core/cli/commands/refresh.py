"""The command `refresh`: rerun missing and stale stages."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve
from convnet_core.cli.job import AGREE, command_job, print_comparison
from convnet_core.cli.shared_flags import add_run
from convnet_core.cli.terminal import print_results

EXAMPLE = "refresh --run runs/mine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """--run."""
    add_run(parser, "the newest run")


def execute(args: argparse.Namespace) -> int:
    """Rerun what is missing or out of date and print the comparison if it was among that."""
    run = resolve.existing_run(args, "train")
    with command_job(args, run, "refresh") as job:
        from convnet_core.stages.refresh import run_refresh

        stages = run_refresh(run, job)
    if "compare" in stages:
        return print_comparison(args, run)
    print_results(args, {"run": str(run.path), "stages": stages}, "everything is up to date")
    return AGREE
