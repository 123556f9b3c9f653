"""The command `app`: make a sample run if there is no finished run, then serve the app."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.common.installation import app_script
from convnet_core.common.processes import environment
from convnet_core.config.stages import SAMPLE_PRESET
from convnet_core.errors import ConfigError, Stopped, one_line
from convnet_core.jobs.watcher import SPIN_COUNT
from convnet_core.runs.library import has_verdict

EXAMPLE = "app --port 8600"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Where to listen, and whether to make a sample run."""
    parser.add_argument("--port", type=int, metavar="N", default=8501, help="default %(default)s")
    parser.add_argument(
        "--address",
        metavar="HOST",
        default="127.0.0.1",
        help="the address to listen on (default %(default)s: only this machine; "
        "read docs/ACCESS.md before you use 0.0.0.0)",
    )
    parser.add_argument(
        "--sample",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="first make a sample run, in half a minute, if no run on digits has a verdict (default: yes)",
    )


_BENCHMARK_SECONDS = "0.05"  # at each batch size: a first look, in 10 s instead of 30


def execute(args: argparse.Namespace) -> int:
    """Serve the app until it is stopped. Streamlit replaces this process, so it receives the signals.

    Raises ConfigError if the app cannot listen there.
    """
    _check_address(args.address, args.port)
    if args.sample and not has_verdict(resolve.root(args)):
        make_sample(resolve.root(args))
    streamlit = [sys.executable, "-m", "streamlit", "run", str(app_script())]
    options = [f"--server.address={args.address}", f"--server.port={args.port}"]
    os.execve(sys.executable, [*streamlit, *options], {**os.environ, "CONVNET_RUNS_DIR": str(resolve.root(args))})


def make_sample(root: Path) -> None:
    """Run the pipeline with the preset of the sample in a new run, then dissect and measure it for the other pages.

    Each is a process of its own. If one fails, its error is on standard error, and the app shows it with what can be
    done. Raises Stopped if the user stopped one.
    """
    print("There is no finished run yet: making one, for the app to start with.", file=sys.stderr)
    commands = (["pipeline", "--preset", SAMPLE_PRESET], ["dissect"], ["benchmark", "--seconds", _BENCHMARK_SECONDS])
    for command in commands:
        process = subprocess.Popen(
            [sys.executable, "-m", "convnet_core", *command, "--runs", str(root)],
            env=environment(GOMP_SPINCOUNT=SPIN_COUNT),  # as a job of the app: the machine may be busy
            stdout=None if command[0] == "pipeline" else subprocess.DEVNULL,  # progress goes to standard error
        )
        status = _wait_for(process)
        if status == Stopped.exit_status:
            raise Stopped("stopped while the sample run was made", hint="--no-sample serves the app without one")
        if status:
            return


def _wait_for(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process. Ctrl-C reaches it as well, so it saves its work and ends by itself."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _check_address(address: str, port: int) -> None:
    """Listen once, because Streamlit reports a bad or used address with a stack trace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {address}:{port}: {one_line(error)}", hint="choose another --port or --address"
        ) from error
