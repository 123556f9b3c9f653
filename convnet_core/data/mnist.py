"""MNIST: from a folder of IDX files, raw or gzip, or downloaded from torchvision's mirrors.

The IDX format: two zero bytes, a type (8: unsigned byte), the number of dimensions, then each
dimension as a big-endian int32, then the values (http://yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import shutil
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import filelock
import numpy as np
from numpy.typing import NDArray

from convnet_core.data.split import Split
from convnet_core.errors import DataError, Stopped
from convnet_core.events import Message, Monitor, Progress
from convnet_core.files import new_id

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_MOST_IMAGES = 500_000  # 392 MB; a gzip file of 400 kB can hold as many
_RAW = Path("MNIST") / "raw"  # where torchvision keeps the files under its root
_BLOCK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte


def read_or_download(folder: Path, monitor: Monitor) -> tuple[Split, Split]:
    """Training and test set of MNIST from a folder; downloaded into it when it holds none of the files."""
    place = place_of(folder)
    if place is None:
        download(folder, monitor)
        place = folder / _RAW
    return read_folder(place)


def place_of(folder: Path) -> Path | None:
    """Where under a folder the IDX files lie: in itself, or where torchvision keeps them; None where there are none.

    Raises DataError where it cannot be looked into.
    """
    for place in (folder, folder / _RAW):
        if any(_find(place, name) for names in _FILES.values() for name in names):
            return place
    return None


def read_folder(folder: Path) -> tuple[Split, Split]:
    """Training and test set from four IDX files. Raises DataError that names the file and the fault."""
    with _looking_into(folder):
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder", hint="--data takes strokes, mnist, or a folder of IDX files")
    return _read_split(folder, *_FILES["train"]), _read_split(folder, *_FILES["test"])


def train_count(folder: Path) -> int | None:
    """The number of training images in a folder, from the header alone; None where it cannot be told."""
    try:
        path = _find(folder, _FILES["train"][0])
        if path is None:
            return None
        with _open(path) as file:
            return int.from_bytes(file.read(8)[4:], "big") or None
    except (DataError, OSError, EOFError, zlib.error):
        return None


def _read_split(folder: Path, images_name: str, labels_name: str) -> Split:
    images_path, labels_path = _require(folder, images_name), _require(folder, labels_name)
    images, labels = read_idx(images_path, (28, 28)), read_idx(labels_path)
    if len(labels) != len(images):
        raise DataError(f"{labels_path}: {len(labels)} labels for {len(images)} images in {images_path.name}")
    if len(labels) == 0:
        raise DataError(f"{images_path}: no images in it")
    if labels.max() > 9:
        place = int((labels > 9).argmax())
        raise DataError(f"{labels_path}: label {labels[place]} at position {place}; labels are 0 to 9")
    return Split(images, labels)


def _find(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")
    candidates = (name, name + ".gz", dotted, dotted + ".gz")
    with _looking_into(folder):
        return next((folder / file for file in candidates if (folder / file).is_file()), None)


@contextlib.contextmanager
def _looking_into(folder: Path) -> Iterator[None]:
    """Raises DataError for a name that is too long, or a folder that we may not read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error


def _require(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DataError(f"{folder / name}: missing (raw or as .gz)", hint="all four IDX files of MNIST are needed")
    return path


def read_idx(path: Path, item: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    """The array [n, *item] of an IDX file of unsigned bytes, raw or gzip. Raises DataError.

    The header is checked before anything is allocated.
    """
    dimensions = 1 + len(item)
    try:
        with _open(path) as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes([0, 0, 8, dimensions]):
                raise DataError(
                    f"{path}: wrong magic number {header[:4].hex() or '(empty)'}, expected 000008{dimensions:02x}"
                )
            if len(header) < 4 + 4 * dimensions:
                raise DataError(f"{path}: truncated in its header")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
            if shape[1:] != item:
                raise DataError(f"{path}: its images are {shape[1]} × {shape[2]}, not {item[0]} × {item[1]}")
            if shape[0] > _MOST_IMAGES:
                raise DataError(f"{path}: claims {shape[0]} images, more than the {_MOST_IMAGES} that are taken")
            expected = int(np.prod(shape, dtype=np.int64))
            body = np.empty(expected, np.uint8)
            got = _fill(file, body)
            if got < expected:
                raise DataError(f"{path}: truncated, {got} bytes of data instead of {expected}")
            if file.read(1):
                raise DataError(f"{path}: more data than its header says ({expected} bytes)")
    except gzip.BadGzipFile as error:
        raise DataError(f"{path}: not a gzip file, or damaged") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip data") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    return body.reshape(shape)


def _fill(file: IO[bytes], body: NDArray[np.uint8]) -> int:
    """Read until an array is full or the file ends; how much was read."""
    got = 0
    while block := file.read(min(_BLOCK, len(body) - got)):
        body[got : got + len(block)] = np.frombuffer(block, np.uint8)
        got += len(block)
    return got


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def download(folder: Path, monitor: Monitor) -> None:
    """Fetch the four files into `folder`/MNIST/raw, where torchvision looks for them too.

    Each file is checked by its MD5; the folder appears when all four are whole, or not at all.
    A second download at the same time waits for the first.
    """
    from torchvision.datasets import MNIST  # 2 s to import; only needed for the addresses and checksums

    target = folder / _RAW
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".download.lock"):
            if target.is_dir() and all(_find(target, name) for names in _FILES.values() for name in names):
                return
            for leftover in target.parent.glob("raw.new-*"):
                shutil.rmtree(leftover)
            draft = target.with_name(f"raw.new-{new_id()}")
            draft.mkdir()
            try:
                for name, md5 in MNIST.resources:
                    _fetch(MNIST.mirrors, name, md5, draft, monitor)
                if target.exists():
                    shutil.rmtree(target)
                os.replace(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write MNIST to {folder}: {error.strerror or error}") from error


def _fetch(mirrors: list[str], name: str, md5: str, folder: Path, monitor: Monitor) -> None:
    """One file from the first mirror that serves it whole."""
    faults = []
    for mirror in mirrors:
        try:
            content = _read_url(
                mirror + name,
                lambda done, total: monitor.emit(
                    Progress(label=f"downloading {name}", done=done, total=total, unit="bytes")
                ),
                monitor,
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            faults.append(str(getattr(error, "reason", error)))
            monitor.emit(Message(text=f"{mirror} did not serve {name}: {faults[-1]}"))
            continue
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            (folder / name).write_bytes(content)
            return
        faults.append("wrong checksum")
    raise DataError(
        f"MNIST cannot be downloaded: no mirror served {name} ({'; '.join(faults)})",
        hint="without a network: --data strokes needs no download; --data-dir FOLDER takes the IDX files from there",
    )


def _read_url(url: str, progress: Callable[[int, int], None], monitor: Monitor) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0)
        blocks, done = [], 0
        while block := response.read(1 << 16):
            blocks.append(block)
            done += len(block)
            if done > 1 << 26:
                raise ValueError("far too long")
            progress(done, max(total, done))
            if monitor.stopping():
                raise Stopped
    return b"".join(blocks)
