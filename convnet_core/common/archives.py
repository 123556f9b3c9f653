"""Zip archives from elsewhere (.npz, .pth): how much they unpack to is known before any of it is kept."""

from __future__ import annotations

import copy
import io
import sys
import zipfile
from pathlib import Path

_MOST_BYTES = 200_000_000  # NumPy holds an array twice while it reads one
_MOST_TIMES = 4  # as large as the archive itself
_BLOCK = 1 << 20


def bounded(path: Path, most_bytes: int | None = None) -> None:
    """Hold an archive to what its directory says, and that to a limit.

    Raises ValueError where the members are more than `most_bytes` together (by default more than 200 MB and than four
    times the archive), and errors of other kinds (zipfile's, OSError) where it cannot be read.
    """
    most = max(_MOST_BYTES, _MOST_TIMES * path.stat().st_size) if most_bytes is None else most_bytes
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if (total := sum(item.file_size for item in members)) > most:
            raise ValueError(f"it unpacks to {total / 1e6:,.1f} MB, more than the {most / 1e6:,.1f} MB that are taken")
        for item in members:
            _check(archive, item)


def _check(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> None:
    """Raises ValueError where a member becomes more than its size: zipfile cuts it only after it was unpacked."""
    if item.compress_type == zipfile.ZIP_STORED:
        return
    if item.compress_type != zipfile.ZIP_DEFLATED:  # of those zipfile unpacks each block whole, whatever it becomes
        raise ValueError(f"{item.filename!r} in it is neither stored nor deflated")
    endless, seen = copy.copy(item), 0
    endless.file_size = sys.maxsize
    with archive.open(endless) as member:
        while block := member.read(_BLOCK):
            seen += len(block)
            if seen > item.file_size:
                raise ValueError(f"{item.filename!r} in it is larger than its directory says")


def stored(path: Path) -> io.BytesIO:
    """The members of an archive that holds them as they are, in a new archive.

    For a reader that looks for the directory in its own way, as PyTorch's does: it could find another one than was
    looked at here. Raises what `bounded` does; a compressed archive holds more than its own size.
    """
    bounded(path, path.stat().st_size)
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for name in dict.fromkeys(old.namelist()):
            new.writestr(name, old.read(name))
    made.seek(0)
    return made
