"""Read the IDX format, uncompressed or gzip, whatever the file's name.

The format: two zero bytes, a type, the number of dimensions, each dimension as a big-endian int32, then the values in C
order (http://yann.lecun.com/exdb/mnist).
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
from convnet_core.language import N_, _

MAX_ITEMS = 500_000
MAX_BYTES = MAX_ITEMS * 28 * 28
"""The limit for one unpacked file, which a gzip file of only 400 kB can reach."""

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 4
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_HINT = N_("MNIST's files have the IDX format; download this one again, or choose another folder")


@dataclass(frozen=True)
class Header:
    """The dtype and shape of the values."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def read_idx(path: Path) -> NDArray[Any]:
    """Read an IDX file with its dtype. Checks the size before allocating memory. Raises DataError."""
    with _open(path) as file:
        header = _header(path, file)
        count = math.prod(header.shape) * header.dtype.itemsize
        if header.shape[0] > MAX_ITEMS:
            raise DataError(
                _(
                    "{path}: has {count} items by its header; the limit is {limit}",
                    path=path,
                    count=header.shape[0],
                    limit=MAX_ITEMS,
                )
            )
        if count > MAX_BYTES:
            raise DataError(
                _(
                    "{path}: has {megabytes:,.0f} MB by its header; the limit is {limit:,.0f} MB",
                    path=path,
                    megabytes=count / 1e6,
                    limit=MAX_BYTES / 1e6,
                )
            )
        body = np.empty(count, np.uint8)
        size = _fill(file, body)
        if size < count:
            raise DataError(
                _("{path}: truncated, {size} bytes of data instead of {count}", path=path, size=size, count=count)
            )
        if file.read(1):
            raise DataError(
                _("{path}: more data than in its header ({count} bytes)", path=path, count=count),
                hint=_("it may be damaged: download it again"),
            )
    return body.view(header.dtype).reshape(header.shape)


def read_header(path: Path) -> Header:
    """Read only the header. Raises DataError."""
    with _open(path) as file:
        return _header(path, file)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """The unpacked content. Turns read errors inside the block into a DataError."""
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP
        with cast(IO[bytes], gzip.open(path)) if is_gzip else path.open("rb") as content:
            yield content
    except gzip.BadGzipFile as error:
        raise DataError(_("{path}: damaged gzip data", path=path)) from error
    except (EOFError, zlib.error) as error:
        raise DataError(_("{path}: truncated or damaged gzip data", path=path)) from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _header(path: Path, file: IO[bytes]) -> Header:
    start = file.read(4)
    valid = len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= _MAX_DIMENSIONS
    if not valid:
        kind = file_kind(path)
        if kind is None or kind == GZIP:
            raise DataError(_("{path}: not an IDX file, or its first bytes are damaged", path=path), hint=_(_HINT))
        raise DataError(
            _("{path}: {what}; expected an IDX file", path=path, what=kind.what), hint=kind.hint or _(_HINT)
        )
    sizes = np.frombuffer(file.read(4 * start[3]), np.uint8)
    if len(sizes) < 4 * start[3]:
        raise DataError(_("{path}: truncated in its header", path=path))
    dtype, shape = np.dtype(_TYPES[start[2]]), sizes.view(">u4")
    swapped = sizes.view("<u4")  # some programs write little-endian sizes
    if shape[0] > MAX_ITEMS >= swapped[0] and dtype.itemsize == 1:
        shape = swapped
    return Header(dtype, tuple(int(size) for size in shape))


def _fill(file: IO[bytes], body: NDArray[np.uint8]) -> int:
    """Read until the array is full or the file ends. Returns the number of bytes read."""
    size = 0
    while block := file.read(min(_BLOCK, len(body) - size)):
        body[size : size + len(block)] = np.frombuffer(block, np.uint8)
        size += len(block)
    return size
