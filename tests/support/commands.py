"""Flags of commands: those in the help, and loose tolerances for small test sets."""

import contextlib
import io
import re

from convnet_core.cli.main import build_parser

# 400 test images are too few to judge int8 by half a point of accuracy; one of them is 0.25 %.
LOOSE = ["--int8-agreement", "0.97", "--int8-accuracy-drop", "0.05", "--samples", "9"]
LOOSE += ["--fp16-agreement", "0.99", "--fp16-accuracy-drop", "0.01"]


def options_of(command):
    """The flags of a command, such as {"--run", "--json"}."""
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        build_parser([command]).parse_args([command, "--help"])
    return set(re.findall(r"--[a-z0-9][a-z0-9-]*", output.getvalue()))
