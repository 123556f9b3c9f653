"""The command line: `main` parses, runs one command, and turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import traceback
from collections.abc import Sequence

from convnet_core.common.files import cache_folder
from convnet_core.common.memory import collect_garbage_less_often
from convnet_core.errors import ConvNetError, one_line

_FAULT = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is as `--help` says."""
    from convnet_core.cli.parser import build_parser

    logging.getLogger("convnet_core").setLevel(logging.INFO)
    logging.lastResort = None  # what a library warns about goes to the job's log, not to the terminal
    args = build_parser().parse_args(argv)
    try:
        with collect_garbage_less_often():
            return _command(args)
    except ConvNetError as error:
        _tell(f"error: {error}" if error.exit_status == 2 else str(error), error.hint)
        return error.exit_status
    except KeyboardInterrupt:
        _tell("stopped")
        return 3
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "convnet_core":
            return _fault(error)
        _tell(f"error: a library is missing: {error}", f"{sys.executable} -m convnet_core doctor")
        return 2
    except Exception as error:
        return _fault(error)


def _command(args: argparse.Namespace) -> int:
    if args.command == "doctor":
        from convnet_core.cli.commands.doctor import doctor

        return doctor(args)
    from convnet_core.cli.commands.pipeline import COMMANDS

    return COMMANDS[args.command](args)


def _tell(line: str, hint: str = "") -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr)
        if hint:
            print(f"  hint: {hint}", file=sys.stderr)


def _fault(error: Exception) -> int:
    """A mistake of ours: one line, and the trace where it can be found (in the job's log, too)."""
    path = cache_folder() / "faults.log"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    _tell(f"fault: {type(error).__name__}: {one_line(error)}", f"this is our mistake; the trace is in {path}")
    return _FAULT
