"""The command line: the list of commands; `main` runs one, and turns errors into one line and an exit status.

Imports nothing heavy, so `--help` answers quickly.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import sys
import traceback
from collections.abc import Sequence

from convnet_core import __version__
from convnet_core.cli.shared_flags import add_common
from convnet_core.common.files import cache_folder
from convnet_core.common.memory import collect_garbage_less_often
from convnet_core.convert.targets.table import TARGETS
from convnet_core.errors import ConvNetError, one_line

_INTERNAL_ERROR = 4

COMMANDS = {
    "pipeline": "train, export, convert and compare in one run",
    "train": "train a network and evaluate it on the test set",
    "export": "export a PyTorch network to ONNX",
    "upload": "import an ONNX file under memory and time limits, as the app does",
    "convert": f"convert ONNX to {', '.join(target.name for target in TARGETS)}",
    "compare": "run every runtime on the same inputs and write report.json, report.html and report.md",
    "benchmark": "measure how fast every runtime loads and answers, and how much memory it uses",
    "dissect": "show what each node became and where errors arise",
    "refresh": "rerun what is missing or out of date, with its previous settings",
    "predict": "read digits from image files with every runtime",
    "data": "count and show the digits of a data set",
    "pack": "zip the artifacts of a run, with a description of each",
    "snippet": "print plain Python that loads each artifact without this project",
    "graph": "show the nodes of an ONNX model as a table or, with --json, laid out",
    "runs": "list, rename and delete runs",
    "app": "serve the app to a browser, with a sample run to start with",
    "doctor": "check the installation and the devices, and say how to fix problems",
}

_DESCRIPTION = """\
Train a convolutional network in PyTorch, export it to ONNX, convert it to TensorFlow and LiteRT,
and prove on the whole test set that every runtime gives the same answers."""

_EPILOG = """\
exit status: 0 done, and the runtimes agree; 1 the runtimes disagree; 2 wrong usage or input;
3 stopped; 4 internal error. Results go to standard output, everything else to standard error."""


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for `arguments`. The parsed `execute` runs the command and returns its exit status.

    A command gets its flags only if `arguments` name it: the modules of other commands are not imported, so `doctor`
    works even if Rich or NumPy is missing.
    """
    parser = argparse.ArgumentParser(
        prog="python -m convnet_core",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
        if name in arguments:
            module = importlib.import_module(f"convnet_core.cli.commands.{name}")
            add_common(command)
            module.add_flags(command)
            command.epilog = f"example: python -m convnet_core {module.EXAMPLE}"
            command.set_defaults(execute=module.execute)
    return parser


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
