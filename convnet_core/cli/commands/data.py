"""The command `data`: what a data set holds, and what augmentation makes of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from convnet_core.cli.config_flags import apply, explicit_fields
from convnet_core.cli.terminal import results, standard_error
from convnet_core.config.stages import AugmentConfig, DataConfig
from convnet_core.data import digits as data
from convnet_core.data import gallery
from convnet_core.data.sources import absolute

_EACH = 20  # images of every digit on the contact sheet


def show_data(args: argparse.Namespace) -> int:
    """Count the digits; with --gallery draw a contact sheet, distorted where --augment-* flags are given."""
    digits = data.load(absolute(apply(args, DataConfig())))
    with standard_error() as console:
        for note in digits.notes:
            console.print(f"[dim]note[/]: {escape(note)}")
    found = {"train": gallery.counts(digits.train), "test": gallery.counts(digits.test)}
    shown: list[object] = [_table(digits.name, found)]
    if args.gallery:
        rows = gallery.samples(digits.train, _EACH, args.gallery_seed)
        augment = apply(args, AugmentConfig())
        if explicit_fields(args, AugmentConfig) and augment:
            from convnet_core.data.augment import augmented

            rows = [augmented(row, augment, args.gallery_seed) for row in rows]
        path: Path = args.gallery
        gallery.save(gallery.sheet(rows), path)
        shown.append(str(path))
    content = {"data": digits.name, "sha256": digits.fingerprint, "counts": found, "notes": list(digits.notes)}
    results(args, content, *shown)
    return 0


def _table(name: str, found: dict[str, list[int]]) -> Table:
    table = Table(title=name, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("images of")
    for digit in range(10):
        table.add_column(str(digit), justify="right")
    table.add_column("all", justify="right")
    for part, numbers in found.items():
        table.add_row(part, *(f"{number:,}" for number in numbers), f"{sum(numbers):,}")
    return table
