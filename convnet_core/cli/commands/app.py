"""The command `app`: serve the app."""

from __future__ import annotations

import argparse
import os
import socket
import sys

from convnet_core.cli import resolve
from convnet_core.common.installation import app_script
from convnet_core.errors import ConfigError, one_line

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
    """Serve the app until it is stopped. Streamlit replaces this process, so it receives the signals.

    Raises ConfigError if the app cannot listen there.
    """
    _check_address(args.address, args.port)
    streamlit = [sys.executable, "-m", "streamlit", "run", str(app_script())]
    options = [f"--server.address={args.address}", f"--server.port={args.port}"]
    os.execve(sys.executable, [*streamlit, *options], {**os.environ, "CONVNET_RUNS_DIR": str(resolve.root(args))})


def _check_address(address: str, port: int) -> None:
    """Listen once, because Streamlit reports a bad or used address with a stack trace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {address}:{port}: {one_line(error)}", hint="choose another --port or --address"
        ) from error
