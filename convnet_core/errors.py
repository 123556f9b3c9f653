"""All errors that this package raises on purpose, in one tree.

    ConvNetError                 exit status 2 unless a subclass sets another
    ├── ConfigError              a setting is out of range, unknown, or contradicts another setting
    ├── DataError                a data set, image or drawing cannot be used
    ├── ModelError               the weights or the model file cannot be used
    │   └── InputsError          a runtime cannot run the model on these inputs
    ├── ConversionError          the model cannot be exported or converted
    │   └── UnsupportedOpError   the converter does not support an ONNX operator
    ├── RunError                 a run's folder is missing, incomplete, or not a run
    │   └── BusyError            another job is using the run
    ├── DiedError                a worker process died, or was killed because it took too long
    ├── MissingError             a required library or file is missing
    └── Stopped                  the user asked for a stop (exit status 3)

The message says in one line what is wrong and where; `hint` says how to fix it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convnet_core.language import _


def one_line(error: BaseException) -> str:
    """The error's text on one line, at most 300 characters; the name of its class if it has no text."""
    return " ".join(str(error).split())[:300] or type(error).__name__


@dataclass(frozen=True)
class UnsupportedNode:
    """A node that a converter cannot convert. `reason` is empty if the converter lacks this operator and version."""

    op: str
    version: int
    node: str
    reason: str = ""

    def __str__(self) -> str:
        where = _("{op}-{version} (node {node!r})", op=self.op, version=self.version, node=self.node)
        return _("{what}: {reason}", what=where, reason=self.reason) if self.reason else where


class ConvNetError(Exception):
    """Base class: a one-line message, and a hint that says how to fix the problem."""

    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ConvNetError):
    """A setting is out of range, unknown, or contradicts another setting."""


class DataError(ConvNetError):
    """A data set, image or drawing cannot be used."""


class ModelError(ConvNetError):
    """The weights or the model file cannot be used."""


class InputsError(ModelError):
    """A runtime cannot run the model on these inputs."""


class ConversionError(ConvNetError):
    """The model cannot be exported or converted."""


class UnsupportedOpError(ConversionError):
    """The converter cannot convert some ONNX nodes; `nodes` lists them."""

    def __init__(self, message: str, hint: str = "", nodes: Sequence[UnsupportedNode] = ()) -> None:
        super().__init__(message, hint)
        self.nodes = tuple(nodes)


class RunError(ConvNetError):
    """A run's folder is missing, incomplete, or not a run."""


class BusyError(RunError):
    """Another job is using the run."""


class DiedError(ConvNetError):
    """A worker process died, or was killed because it took too long; the message says which.

    `alone` is true if the worker had no other requests at the time, so this request is the cause.
    """

    def __init__(self, message: str, hint: str = "", *, alone: bool = True) -> None:
        super().__init__(message, hint)
        self.alone = alone


class MissingError(ConvNetError):
    """A required library or file is missing."""


class Stopped(ConvNetError):
    """The user asked for a stop. Work worth keeping has been saved."""

    exit_status = 3

    def __init__(self, message: str = "", hint: str = "") -> None:
        super().__init__(message or _("stopped on request"), hint)
