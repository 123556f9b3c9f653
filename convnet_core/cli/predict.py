"""The command `predict`: read digits from image files with every runtime; feature maps; test cases."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.markup import escape

from convnet_core import cases, pictures
from convnet_core.cli import resolve, show
from convnet_core.cli.terminal import chatter_to, results, standard_error
from convnet_core.data import gallery
from convnet_core.data.drawing import read_image


def predict(args: argparse.Namespace) -> int:
    """Read each image; with --feature-maps draw what layer1 makes of it, with --keep make it a test case."""
    run = resolve.existing_run(args, "export")
    with standard_error() as console, chatter_to(Path(os.devnull)), console.status("loading the runtimes"):
        from convnet_core.predict import feature_maps, predict_files

        for warning in run.stale_stages("compare"):
            console.print(f"[yellow]warning[/]: {escape(warning)}")
        answers = predict_files(run, args.images)
        if args.feature_maps:
            grids = [pictures.feature_grid(maps) for maps in feature_maps(run, args.images)]
            gallery.save(pictures.stacked(grids), args.feature_maps)
    lines: list[object] = [*show.predictions(answers)]
    if args.feature_maps:
        lines.append(f"feature maps: {args.feature_maps}")
    if args.keep is not None:
        for answer, path in zip(answers, args.images, strict=True):
            answer["kept"] = cases.keep(run, read_image(path), args.keep).file
            lines.append(f"kept as a {args.keep}: {resolve.shown(run)}/{answer['kept']}")
    results(args, answers, *lines)
    return 0
