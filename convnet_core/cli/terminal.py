"""Standard output and error: results on the one, everything else on the other."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

_FILE_WIDTH = 120  # of a table that goes to a file or a pipe


class _Console(Console):
    """A console that falls silent when its reader has gone; Rich's own ends the program, and with it the job."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


@contextlib.contextmanager
def standard_error() -> Iterator[Console]:
    """Standard error of its own, which stays when file descriptor 2 is sent elsewhere."""
    file = os.fdopen(os.dup(2), "w", encoding="utf-8")
    try:
        yield _Console(file=file, soft_wrap=True, highlight=False)
    finally:
        with contextlib.suppress(BrokenPipeError):
            file.close()


@contextlib.contextmanager
def chatter_to(path: Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to a file: TensorFlow and others write there from C++."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def results(args: argparse.Namespace, value: Any, *shown: Any) -> None:
    """Print results: as JSON with --json, else for people; plain strings as they are, without markup.

    A reader that has gone changes nothing: the work is done and the exit status stays.
    """
    try:
        if getattr(args, "json", False):
            print(json.dumps(value, indent=1, ensure_ascii=False))
        else:
            console = _Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)
            for item in shown:
                text = isinstance(item, str)
                console.print(item, markup=not text, soft_wrap=text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
