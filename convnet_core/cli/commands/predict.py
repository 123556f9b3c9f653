"""The command `predict`: read digits from image files with every runtime; feature maps; test cases."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.markup import escape

from convnet_core.cli import resolve, tables
from convnet_core.cli.terminal import chatter_to, results, standard_error
from convnet_core.data import drawing_pictures, gallery
from convnet_core.data.picture import read_image
from convnet_core.errors import DataError
from convnet_core.runs import drawings


def predict(args: argparse.Namespace) -> int:
    """Read each image; with --feature-maps draw what layer1 makes of it, with --keep make it a test case.

    One that cannot be read gets a line of its own, and the exit status 2 in the end.
    """
    run = resolve.existing_run(args, "export")
    with standard_error() as console, chatter_to(Path(os.devnull)), console.status("loading the runtimes"):
        from convnet_core.runtimes.predict import feature_maps, predict_files

        for warning in run.stale_stages("compare"):
            console.print(f"[yellow]warning[/]: {escape(warning)}")
        answers = predict_files(run, args.images)
        read = [answer for answer in answers if "runtimes" in answer]
        for answer in answers:
            if "error" in answer:
                hint = f"\n  hint: {answer['hint']}" if answer["hint"] else ""
                console.print(f"[red]error[/]: {escape(answer['error'] + hint)}")
        if args.feature_maps and read:
            maps = feature_maps(run, [Path(answer["image"]) for answer in read])
            gallery.save(
                drawing_pictures.stacked([drawing_pictures.feature_grid(each) for each in maps]), args.feature_maps
            )
    lines: list[object] = [*tables.predictions(read)]
    if args.feature_maps and read:
        lines.append(f"feature maps: {args.feature_maps}")
    if args.keep is not None:
        for answer in read:
            answer["kept"] = drawings.save(run, read_image(Path(answer["image"])), args.keep).file
            lines.append(f"kept as a {args.keep}: {resolve.shown(run)}/{answer['kept']}")
    results(args, answers, *lines)
    return 0 if len(read) == len(answers) else DataError.exit_status
