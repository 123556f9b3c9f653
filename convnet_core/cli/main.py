"""The command line: `main` parses, runs one command, and turns errors into one line and an exit status."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Sequence

from convnet_core.cli.parser import build_parser
from convnet_core.common.files import cache_folder
from convnet_core.common.memory import collect_garbage_less_often
from convnet_core.errors import ConvNetError, one_line

_INTERNAL_ERROR = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status, as `--help` lists them."""
    logging.getLogger("convnet_core").setLevel(logging.INFO)
    logging.lastResort = None  # library warnings go to the job's log, not to the terminal
    arguments = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser(arguments).parse_args(arguments)
        with collect_garbage_less_often():
            status: int = args.execute(args)
        return status
    except ConvNetError as error:
        _print_error(f"error: {error}" if error.exit_status == 2 else str(error), error.hint)
        return error.exit_status
    except KeyboardInterrupt:
        _print_error("stopped")
        return 3
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "convnet_core":
            return _report_internal_error(error)
        _print_error(f"error: a library is missing: {error}", f"{sys.executable} -m convnet_core doctor")
        return 2
    except Exception as error:
        return _report_internal_error(error)


def _print_error(line: str, hint: str = "") -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr)
        if hint:
            print(f"  hint: {hint}", file=sys.stderr)


def _report_internal_error(error: Exception) -> int:
    """Print one line; the traceback goes to a file, and to the job's log as well."""
    path = cache_folder() / "faults.log"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    _print_error(
        f"internal error: {type(error).__name__}: {one_line(error)}",
        f"this is a bug in convnet_core; the traceback is in {path}",
    )
    return _INTERNAL_ERROR
