"""The command `snippet`: plain Python that loads each artifact of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.artifacts import artifact, snippets
from convnet_core.cli import resolve
from convnet_core.cli.shared_flags import add_artifact, add_run
from convnet_core.cli.terminal import print_results

EXAMPLE = "snippet --run runs/mine --artifact model.int8.tflite"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Whose snippets to print."""
    add_run(parser, "the newest run")
    add_artifact(parser, "print only the snippet of this one")


def execute(args: argparse.Namespace) -> int:
    """Print the snippets of a run, or of one artifact."""
    run = resolve.existing_run(args, "export")
    only = artifact.find(run, args.artifact) if args.artifact else None
    texts = {item.path: text for item, text in snippets.snippets(run, only).items()}
    if only:
        print_results(args, texts, *texts.values())
    else:
        headed = [f"# -- {path}: run in {Path(path).parent}\n\n{text}" for path, text in texts.items()]
        print_results(args, texts, *headed)
    return 0
