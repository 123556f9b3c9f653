"""When it is the disk that fails, and not the work: one clear error, whoever noticed it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from convnet_core.errors import ConvNetError, RunError, one_line

_HINTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space, or name another --run"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make the folder writable, or name another --run"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files (`ulimit -n 1024`), and start again"),
    **dict.fromkeys((errno.EIO, errno.EXDEV, errno.ESTALE), "look at the disk, or name another --run"),
}
_IN_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
"""Looked for in the text of other errors: what is written in C++ (TensorFlow's checkpoints, protobuf, the loader of
shared libraries) raises kinds of its own, with the operating system's words in them."""


def fault(error: BaseException) -> int | None:
    """The errno of an error that is about the disk or its descriptors; None for any other."""
    if isinstance(error, ConvNetError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _HINTS else None
    return next((number for number in _IN_WORDS if os.strerror(number) in str(error)), None)


@contextlib.contextmanager
def disk_errors_as_run_error(place: Path) -> Iterator[None]:
    """Turn a failure of the disk inside the block into a RunError that names the place and what to do."""
    try:
        yield
    except Exception as error:
        number = fault(error)
        if number is None:
            raise
        raise RunError(f"cannot write {place}: {one_line(error)}", hint=_HINTS[number]) from error
