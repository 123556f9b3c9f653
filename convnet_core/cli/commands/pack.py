"""The command `pack`: a run's artifacts as a zip."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.artifacts import artifact
from convnet_core.artifacts.pack import pack_to
from convnet_core.cli import resolve
from convnet_core.cli.shared_flags import add_artifact, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.common.formatting import format_size

EXAMPLE = "pack --run runs/mine --output mine.zip"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """What to pack, and where to."""
    add_run(parser, "the newest run")
    add_artifact(parser, "pack only this one")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the zip (default: named after the run, here)")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def execute(args: argparse.Namespace) -> int:
    """Write the zip of a run, or of one artifact."""
    run = resolve.existing_run(args, "export")
    only = artifact.find(run, args.artifact) if args.artifact else None
    path: Path = args.output or Path(f"{run.name}-{only.name}.zip" if only else f"{run.name}.zip")
    pack_to(run, path, only, force=args.force)
    size = path.stat().st_size
    print_results(args, {"run": str(run.path), "file": str(path), "bytes": size}, f"{path} ({format_size(size)})")
    return 0
