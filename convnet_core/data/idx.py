"""The IDX format, raw or gzip whatever the name says.

Two zero bytes, a type, the number of dimensions, then each dimension as a big-endian int32, then the values, the first
dimension slowest (http://yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import contextlib
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.file_kinds import GZIP, file_kind
from convnet_core.errors import DataError

MOST_ITEMS = 500_000
MOST_BYTES = MOST_ITEMS * 28 * 28
"""What is taken of one file, unpacked: a gzip file of 400 kB can hold as much."""

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 4
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_AGAIN = "MNIST's files are in that format; fetch this one again, or name another folder"


@dataclass(frozen=True)
class Header:
    """What the values are, and how many along each dimension."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file, in the file's own type. Raises DataError.

    Its size is checked before anything is allocated.
    """
    with _opened(path) as file:
        header = _header(path, file)
        count = math.prod(header.shape) * header.dtype.itemsize
        if header.shape[0] > MOST_ITEMS:
            raise DataError(f"{path}: claims {header.shape[0]} items, more than the {MOST_ITEMS} that are taken")
        if count > MOST_BYTES:
            raise DataError(f"{path}: claims {count / 1e6:,.0f} MB, more than {MOST_BYTES / 1e6:,.0f} MB")
        body = np.empty(count, np.uint8)
        got = _fill(file, body)
        if got < count:
            raise DataError(f"{path}: truncated, {got} bytes of data instead of {count}")
        if file.read(1):
            raise DataError(
                f"{path}: more data than its header says ({count} bytes)", hint="damaged on its way: fetch it again"
            )
    return body.view(header.dtype).reshape(header.shape)


def read_header(path: Path) -> Header:
    """The header alone. Raises DataError."""
    with _opened(path) as file:
        return _header(path, file)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The unpacked content. Whatever goes wrong with it inside the block is a DataError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with cast(IO[bytes], gzip.open(path)) if packed else path.open("rb") as content:
            yield content
    except gzip.BadGzipFile as error:
        raise DataError(f"{path}: damaged gzip data") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip data") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _header(path: Path, file: IO[bytes]) -> Header:
    start = file.read(4)
    known = len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= _MOST_DIMENSIONS
    if not known:
        kind = file_kind(path)
        if kind is None or kind == GZIP:
            raise DataError(f"{path}: no IDX file, or damaged in its first bytes", hint=_AGAIN)
        raise DataError(f"{path}: {kind.name}, where an IDX file should be", hint=kind.fix or _AGAIN)
    sizes = np.frombuffer(file.read(4 * start[3]), np.uint8)
    if len(sizes) < 4 * start[3]:
        raise DataError(f"{path}: truncated in its header")
    dtype, shape = np.dtype(_TYPES[start[2]]), sizes.view(">u4")
    swapped = sizes.view("<u4")  # in the byte order of the writer's own machine
    if shape[0] > MOST_ITEMS >= swapped[0] and dtype.itemsize == 1:
        shape = swapped
    return Header(dtype, tuple(int(size) for size in shape))


def _fill(file: IO[bytes], body: NDArray[np.uint8]) -> int:
    """Read until an array is full or the file ends; how much was read."""
    got = 0
    while block := file.read(min(_BLOCK, len(body) - got)):
        body[got : got + len(block)] = np.frombuffer(block, np.uint8)
        got += len(block)
    return got
