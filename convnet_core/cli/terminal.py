"""Standard output and error: results go to the one, everything else to the other."""

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
    """A console that goes quiet when its reader is gone. Rich's own would exit the program, and the job with it."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


@contextlib.contextmanager
def error_console() -> Iterator[Console]:
    """A console on a copy of standard error, which keeps working while file descriptor 2 is redirected."""
    file = os.fdopen(os.dup(2), "w", encoding="utf-8")
    try:
        yield _Console(file=file, soft_wrap=True, highlight=False)
    finally:
        with contextlib.suppress(BrokenPipeError):
            file.close()


@contextlib.contextmanager
def redirect_output(path: Path) -> Iterator[None]:
    """Send file descriptors 1 and 2 to a file: TensorFlow and other libraries write there from C++."""
    sys.stdout.flush()
    sys.stderr.flush()
    copies = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), copies, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def print_results(args: argparse.Namespace, content: Any, *items: Any) -> None:
    """Print `content` as JSON with --json, else `items`: Rich renderables, and strings without markup.

    If the reader is gone, nothing else changes: the work is done and the exit status stays.
    """
    try:
        if getattr(args, "json", False):
            print(json.dumps(content, indent=1, ensure_ascii=False))
        else:
            console = _Console(width=None if sys.stdout.isatty() else _FILE_WIDTH, highlight=False)
            for item in items:
                text = isinstance(item, str)
                console.print(item, markup=not text, soft_wrap=text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
