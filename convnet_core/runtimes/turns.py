"""One read, one open and one learning at a time, across all runtime pools of this process; and which one crashed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from convnet_core.errors import DiedError

READ, OPEN, LEARN, _ANY = (threading.Lock() for _ in range(4))
_separate = False


@contextlib.contextmanager
def take(kind: threading.Lock) -> Iterator[None]:
    """Wait for the turn of a kind of work."""
    with kind, _ANY if _separate else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def find_culprit(blame: Callable[[str], object]) -> Iterator[None]:
    """If the worker crashes during a task that ran alone, call `blame` with the reason.

    Otherwise nobody knows which task it was, so from now on never read, open and learn at the same time.
    """
    global _separate
    try:
        yield
    except DiedError as error:
        if error.alone:
            blame(str(error))
        else:
            _separate = True
