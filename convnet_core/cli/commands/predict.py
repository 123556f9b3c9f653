"""The command `predict`: read digits from image files with every runtime."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.markup import escape

from convnet_core.cli import resolve, tables
from convnet_core.cli.shared_flags import add_run
from convnet_core.cli.terminal import error_console, print_results, redirect_output
from convnet_core.data import drawing_pictures, gallery
from convnet_core.data.picture import read_image
from convnet_core.errors import DataError
from convnet_core.runs import drawings

EXAMPLE = "predict seven.png photo.jpg --run runs/mine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The images, and what to do with them."""
    add_run(parser, "the newest run")
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="PNG or JPEG of any size with one digit, dark on light or light on dark",
    )
    parser.add_argument(
        "--feature-maps", type=Path, metavar="FILE", help="write PyTorch's feature maps after layer1 as PNG"
    )
    parser.add_argument(
        "--doubt",
        action="store_true",
        help="also tell whether each image looks like one digit at all; learning it takes half a minute once a network",
    )
    parser.add_argument(
        "--keep",
        type=int,
        choices=range(10),
        metavar="DIGIT",
        help="keep the images, which all show this digit, in the run's folder drawings/; `compare` then includes them",
    )


def execute(args: argparse.Namespace) -> int:
    """Read each image; with --feature-maps draw the output of layer1, with --keep make the image a test case.

    An image that cannot be read gets an error line, and the exit status is 2.
    """
    run = resolve.existing_run(args, "export")
    with error_console() as console, redirect_output(Path(os.devnull)), console.status("loading the runtimes"):
        from convnet_core.runtimes.predict import feature_maps, predict_files

        for warning in run.stale_stages("compare"):
            console.print(f"[yellow]warning[/]: {escape(warning)}")
        answers = predict_files(run, args.images, doubt=args.doubt)
        readable = [answer for answer in answers if not answer.error]
        for answer in answers:
            if answer.error:
                hint = f"\n  hint: {answer.hint}" if answer.hint else ""
                console.print(f"[red]error[/]: {escape(answer.error + hint)}")
        if args.feature_maps and readable:
            maps = feature_maps(run, [Path(answer.path) for answer in readable])
            grids = [drawing_pictures.feature_grid(each) for each in maps]
            gallery.save(drawing_pictures.stack(grids), args.feature_maps)
    lines: list[object] = [*tables.predictions(readable)]
    if args.feature_maps and readable:
        lines.append(f"feature maps: {args.feature_maps}")
    if args.keep is not None:
        for answer in readable:
            answer.kept = drawings.save(run, read_image(Path(answer.path)), args.keep).file
            lines.append(f"kept as a {args.keep}: {resolve.short_path(run)}/{answer.kept}")
    print_results(args, [answer.to_json() for answer in answers], *lines)
    return 0 if len(readable) == len(answers) else DataError.exit_status
