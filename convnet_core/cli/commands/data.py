"""The command `data`: count the digits of a data set, and draw some of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from convnet_core.cli.terminal import error_console, print_results
from convnet_core.config.flags import add_config_flags, apply_flags, explicit_fields
from convnet_core.config.stages import AugmentConfig, DataConfig
from convnet_core.data import digits as data
from convnet_core.data import gallery
from convnet_core.data.sources import absolute

EXAMPLE = "data --data strokes --gallery digits.png"

_COLUMNS = 20  # images of every digit on the contact sheet


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The data config, and the contact sheet."""
    parser.add_argument("--gallery", type=Path, metavar="FILE", help="write a contact sheet of training images as PNG")
    parser.add_argument("--gallery-seed", type=int, metavar="N", default=0, help="which images to show (default 0)")
    add_config_flags(parser, "data", DataConfig)
    add_config_flags(parser, "distortions to show on the contact sheet", AugmentConfig)


def execute(args: argparse.Namespace) -> int:
    """Count the digits; with --gallery draw a contact sheet, with --augment-* flags a distorted one."""
    digits = data.load(absolute(apply_flags(args, DataConfig())))
    with error_console() as console:
        for note in digits.notes:
            console.print(f"[dim]note[/]: {escape(note)}")
    counts = {"train": gallery.counts(digits.train), "test": gallery.counts(digits.test)}
    items: list[object] = [_table(digits.name, counts)]
    if args.gallery:
        rows = gallery.samples(digits.train, _COLUMNS, args.gallery_seed)
        augment = apply_flags(args, AugmentConfig())
        if explicit_fields(args, AugmentConfig) and augment:
            from convnet_core.data.augment import augment_array

            rows = [augment_array(row, augment, args.gallery_seed) for row in rows]
        path: Path = args.gallery
        gallery.save(gallery.sheet(rows), path)
        items.append(str(path))
    content = {"data": digits.name, "sha256": digits.fingerprint, "counts": counts, "notes": list(digits.notes)}
    print_results(args, content, *items)
    return 0


def _table(name: str, counts: dict[str, list[int]]) -> Table:
    table = Table(title=name, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("images of")
    for digit in range(10):
        table.add_column(str(digit), justify="right")
    table.add_column("all", justify="right")
    for split, numbers in counts.items():
        table.add_row(split, *(f"{number:,}" for number in numbers), f"{sum(numbers):,}")
    return table
