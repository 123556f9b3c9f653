"""The flags that a command lists in its help."""

import contextlib
import io
import re

from convnet_core.cli.main import build_parser


def options_of(command):
    """The flags of a command, such as {"--run", "--json"}."""
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        build_parser([command]).parse_args([command, "--help"])
    return set(re.findall(r"--[a-z0-9][a-z0-9-]*", output.getvalue()))
