"""The command line: `main` parses, runs one command, and turns errors into one line and an exit status."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence

from convnet_core.errors import ConvNetError
from convnet_core.files import cache_folder

_FAULT = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is as `--help` says."""
    from convnet_core.cli.parser import build_parser

    logging.getLogger("convnet_core").setLevel(logging.INFO)
    logging.lastResort = None  # what a library warns about goes to the job's log, not to the terminal
    args = build_parser().parse_args(argv)
    from convnet_core.cli import commands

    try:
        return commands.COMMANDS[args.command](args)
    except ConvNetError as error:
        print(f"error: {error}" if error.exit_status == 2 else error, file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 3
    except BrokenPipeError:
        return 0  # `... | head` has seen enough
    except Exception as error:
        print(f"fault: {_one_line(error)}", file=sys.stderr)
        print(f"  hint: this is our mistake; the trace is in {_keep_trace(error)}", file=sys.stderr)
        return _FAULT


def _one_line(error: BaseException) -> str:
    from convnet_core.jobs import describe_fault

    return describe_fault(error)


def _keep_trace(error: BaseException) -> str:
    """Where the trace of a fault can be read: in the job's log too, where there was a job."""
    path = cache_folder() / "faults.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return "the job's log.txt"
    return str(path)
