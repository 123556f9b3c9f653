"""Check untrusted zip archives (.npz, .pth) before unpacking them, so a zip bomb cannot fill the memory."""

from __future__ import annotations

import copy
import io
import sys
import zipfile
from pathlib import Path

_MAX_BYTES = 200_000_000  # NumPy needs twice an array's size while it reads the array
_MAX_RATIO = 4  # unpacked size over the size of the archive
_BLOCK = 1 << 20


def check_archive(path: Path, max_bytes: int | None = None) -> None:
    """Check that the members of a zip archive are no larger than its directory lists, and within a limit in total.

    Raises ValueError if the members exceed `max_bytes` (by default 200 MB or four times the archive, whichever is
    more) or the sizes in the directory, and OSError or an error of zipfile if the archive cannot be read.
    """
    limit = max(_MAX_BYTES, _MAX_RATIO * path.stat().st_size) if max_bytes is None else max_bytes
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if (total := sum(item.file_size for item in members)) > limit:
            raise ValueError(f"it unpacks to {total / 1e6:,.1f} MB; the limit is {limit / 1e6:,.1f} MB")
        for item in members:
            _check_member(archive, item)


def _check_member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> None:
    """Raises ValueError if a member unpacks to more than its listed size. zipfile truncates only after unpacking."""
    if item.compress_type == zipfile.ZIP_STORED:
        return
    if item.compress_type != zipfile.ZIP_DEFLATED:  # for other methods zipfile unpacks whole blocks of any size
        raise ValueError(f"its member {item.filename!r} is neither stored nor deflated")
    unlimited, size = copy.copy(item), 0
    unlimited.file_size = sys.maxsize
    with archive.open(unlimited) as member:
        while block := member.read(_BLOCK):
            size += len(block)
            if size > item.file_size:
                raise ValueError(f"its member {item.filename!r} is larger than the directory lists")


def copy_archive(path: Path) -> io.BytesIO:
    """Copy an uncompressed archive into a new one in memory.

    PyTorch finds the directory of an archive in its own way and could read a different one than zipfile checked;
    the copy has only one. Raises what `check_archive` raises, also for a compressed archive that unpacks to more than
    its own size.
    """
    check_archive(path, path.stat().st_size)
    copied = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copied, "w") as target:
        for name in dict.fromkeys(source.namelist()):
            target.writestr(name, source.read(name))
    copied.seek(0)
    return copied
