"""The command `app`."""

from __future__ import annotations

import argparse
import os
import sys

from convnet_core.cli import resolve
from convnet_core.common.installation import app_script


def app(args: argparse.Namespace) -> int:
    """Serve the app until it is stopped. Streamlit takes this process over, and so gets its signals."""
    streamlit = [sys.executable, "-m", "streamlit", "run", str(app_script())]
    options = [f"--server.address={args.address}", f"--server.port={args.port}"]
    os.execve(sys.executable, [*streamlit, *options], {**os.environ, "CONVNET_RUNS_DIR": str(resolve.root(args))})
