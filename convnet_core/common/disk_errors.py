"""Turn disk failures (full, read-only, too many open files) into one clear error, whichever library hits them."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from convnet_core.errors import ConvNetError, RunError, one_line
from convnet_core.language import N_, _

_HINTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), N_("free some space, or use another run (--run)")),
    **dict.fromkeys(
        (errno.EROFS, errno.EACCES, errno.EPERM), N_("make the folder writable, or use another run (--run)")
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), N_("allow more open files (`ulimit -n 1024`), and start again")),
    **dict.fromkeys((errno.EIO, errno.EXDEV, errno.ESTALE), N_("check the disk, or use another run (--run)")),
}
_NUMBERS_IN_TEXT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
"""Also recognized by their text: C++ code (TensorFlow's checkpoints, protobuf, the loader of shared libraries) raises
other exceptions, whose text includes the operating system's message."""


def disk_errno(error: BaseException) -> int | None:
    """The errno of an error caused by the disk or by file descriptors; None for any other error."""
    if isinstance(error, ConvNetError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _HINTS else None
    return next((number for number in _NUMBERS_IN_TEXT if os.strerror(number) in str(error)), None)


@contextlib.contextmanager
def disk_errors_as_run_error(place: Path) -> Iterator[None]:
    """Turn a disk failure inside the block into a RunError with the path and a hint."""
    try:
        yield
    except Exception as error:
        number = disk_errno(error)
        if number is None:
            raise
        raise RunError(
            _("cannot write {place}: {reason}", place=place, reason=one_line(error)), hint=_(_HINTS[number])
        ) from error
