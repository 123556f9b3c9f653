"""The command `app`: serve the app."""

from __future__ import annotations

import argparse
import os
import sys

from convnet_core.cli import resolve
from convnet_core.common.installation import app_script

EXAMPLE = "app --port 8600"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--port", type=int, metavar="N", default=8501, help="default %(default)s")
    parser.add_argument(
        "--address",
        metavar="HOST",
        default="127.0.0.1",
        help="the address to listen on (default %(default)s: only this machine; "
        "read docs/ACCESS.md before you use 0.0.0.0)",
    )


def execute(args: argparse.Namespace) -> int:
    """Serve the app until it is stopped. Streamlit replaces this process, so it receives the signals."""
    streamlit = [sys.executable, "-m", "streamlit", "run", str(app_script())]
    options = [f"--server.address={args.address}", f"--server.port={args.port}"]
    os.execve(sys.executable, [*streamlit, *options], {**os.environ, "CONVNET_RUNS_DIR": str(resolve.root(args))})
