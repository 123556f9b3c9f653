"""Every error that this package raises on purpose, in one tree.

    ConvNetError                 exit status 2 unless a subclass says otherwise
    ├── ConfigError              a setting is out of its range, unknown or contradicts another
    ├── DataError                a data set, an image or a drawing cannot be used
    ├── ModelError               weights or a model file do not fit
    │   └── InputsError          a runtime cannot run a model on these inputs
    ├── ConversionError          a model cannot be exported or converted
    │   └── UnsupportedOpError   an ONNX operator that the converter does not know
    ├── RunError                 a run's folder is missing, incomplete or not ours
    │   └── BusyError            a job is at work on it
    ├── DiedError                a process that works for this one has died, or was given up
    ├── MissingError             a library or a file that this step needs is not there
    └── Stopped                  somebody asked for a stop (exit status 3)

The message says what is wrong and where, in one line; `hint` says how to mend it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def one_line(error: BaseException) -> str:
    """What an error of any kind says, in one line of at most 300 characters; its kind where it says nothing."""
    return " ".join(str(error).split())[:300] or type(error).__name__


@dataclass(frozen=True)
class UnsupportedNode:
    """A node that a converter cannot convert: its operator in that version; `reason` where it is more than that."""

    op: str
    version: int
    node: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.version} (node {self.node!r})" + (f": {self.reason}" if self.reason else "")


class ConvNetError(Exception):
    """Base of all: a message of one line, and a hint that says how to mend it."""

    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ConvNetError):
    """A setting is out of its range, unknown, or contradicts another."""


class DataError(ConvNetError):
    """A data set, an image or a drawing cannot be used."""


class ModelError(ConvNetError):
    """Weights or a model file do not fit."""


class InputsError(ModelError):
    """A runtime cannot run a model on these inputs."""


class ConversionError(ConvNetError):
    """A model cannot be exported or converted."""


class UnsupportedOpError(ConversionError):
    """ONNX nodes that the converter cannot convert; `lacking` names them."""

    def __init__(self, message: str, hint: str = "", lacking: Sequence[UnsupportedNode] = ()) -> None:
        super().__init__(message, hint)
        self.lacking = tuple(lacking)


class RunError(ConvNetError):
    """A run's folder is missing, incomplete or not ours."""


class BusyError(RunError):
    """A job is at work on the run."""


class DiedError(ConvNetError):
    """A process that works for this one has died, or was given up; the message says how.

    `alone` says that it had no other work then: what was asked of it has done it.
    """

    def __init__(self, message: str, hint: str = "", *, alone: bool = True) -> None:
        super().__init__(message, hint)
        self.alone = alone


class MissingError(ConvNetError):
    """A library or a file that this step needs is not there."""


class Stopped(ConvNetError):
    """Somebody asked for a stop; what was worth keeping has been saved."""

    exit_status = 3

    def __init__(self, message: str = "stopped on request", hint: str = "") -> None:
        super().__init__(message, hint)
