"""The commands `pack` and `snippet`: a run's artefacts for use elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.artifacts import artifact, snippets
from convnet_core.artifacts.pack import pack_to
from convnet_core.cli import resolve
from convnet_core.cli.terminal import results
from convnet_core.common.formatting import format_size


def pack(args: argparse.Namespace) -> int:
    """Write the zip of a run, or of one artefact."""
    run = resolve.existing_run(args, "export")
    only = artifact.find(run, args.artefact) if args.artefact else None
    path: Path = args.output or Path(f"{run.name}-{only.name}.zip" if only else f"{run.name}.zip")
    pack_to(run, path, only, force=args.force)
    size = path.stat().st_size
    results(args, {"run": str(run.path), "file": str(path), "bytes": size}, f"{path} ({format_size(size)})")
    return 0


def snippet(args: argparse.Namespace) -> int:
    """Print the snippets of a run, or of one artefact."""
    run = resolve.existing_run(args, "export")
    only = artifact.find(run, args.artefact) if args.artefact else None
    found = snippets.snippets(run, only)
    texts = {item.path: text for item, text in found.items()}
    shown = (
        texts.values()
        if only
        else [f"# -- {path}: run in {Path(path).parent}\n\n{text}" for path, text in texts.items()]
    )
    results(args, texts, *shown)
    return 0
