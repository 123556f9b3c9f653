"""MNIST and data sets like it: from a folder, or downloaded from torchvision's mirrors."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray

from convnet_core.common.archives import check_archive
from convnet_core.common.files import new_id
from convnet_core.common.formatting import format_count
from convnet_core.data import arrays, folder
from convnet_core.data.folder import DataSet, Role
from convnet_core.data.idx import MOST_BYTES, MOST_ITEMS, read_header, read_idx
from convnet_core.data.split import Split
from convnet_core.errors import DataError, Stopped, one_line
from convnet_core.events import Message, Monitor, Progress

Load = Callable[[Role], tuple[str, NDArray[Any]]]
"""Gives for a role what its file holds, after a name for messages."""

_RAW = Path("MNIST") / "raw"  # where torchvision keeps the files under its root
_TIMEOUT = 30.0  # seconds without a byte


def read_or_download(root: Path, monitor: Monitor) -> tuple[Split, Split, list[str]]:
    """MNIST from a folder, as `read` gives it; downloaded into it when it holds none of the files."""
    found = folder.find(root, mnist=True)
    if found is None:
        download(root, monitor)
        found = folder.find(root, mnist=True)
        assert found
    return read(found)


def read_path(path: Path) -> tuple[Split, Split, list[str]]:
    """The data set at a path, as `read` gives it. Raises DataError where there is none."""
    found = folder.find(path)
    if found is None:
        raise DataError(
            f"{path} {folder.describe(path)}",
            hint="a data set is a folder with the four files of MNIST (train-images-idx3-ubyte, train-labels-…, "
            "t10k-images-…, t10k-labels-…), or an .npz with x_train, y_train, x_test and y_test",
        )
    return read(found)


def read(found: DataSet) -> tuple[Split, Split, list[str]]:
    """Training and test set, and a note for each thing that was not as MNIST has it.

    Raises DataError that names the file and the fault.
    """
    notes: list[str] = []
    with _loading(found) as load:
        train, test = _split(load, "train", notes), _split(load, "test", notes)
    if found.prefix.startswith("emnist"):
        train, test = (Split(part.images.transpose(0, 2, 1).copy(), part.labels) for part in (train, test))
        notes.append(f"{found}: EMNIST's images lie on their side; rows and columns are swapped")
    if len(train) < len(test):
        notes.append(f"{found}: {len(train):,} images to train on, {len(test):,} to test on: swapped?")
    return train, test, notes


def train_count(path: Path) -> int | None:
    """The number of training images at a path, from a header alone; None where it cannot be told."""
    try:
        found = folder.find(path)
        if found is None or found.archive:
            return None
        return read_header(found.file(("train", "images"))).shape[0] or None
    except DataError:
        return None


@contextlib.contextmanager
def _loading(found: DataSet) -> Iterator[Load]:
    """What loads one array at a time, as long as the files are open."""
    if not found.archive:
        yield lambda role: (str(found.file(role)), read_idx(found.file(role)))
        return
    path = found.archive
    try:
        check_archive(path, MOST_BYTES)
        with np.load(path, allow_pickle=False) as file:
            yield lambda role: _member(file, role, path)
    except DataError:
        raise
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: no .npz file, or damaged") from error
    except Exception as error:  # zlib and NumPy each have kinds of their own
        raise DataError(f"{path}: {one_line(error)}") from error


def _member(file: Any, role: Role, path: Path) -> tuple[str, NDArray[Any]]:
    """An array of an .npz, by Keras' name or MedMNIST's. Raises DataError."""
    part, kind = role
    names = (f"{'x' if kind == 'images' else 'y'}_{part}", f"{part}_{kind}")
    key = next((name for name in names if name in file.files), None)
    if key is None:
        held = ", ".join(file.files[:8]) or "nothing"
        raise DataError(
            f"{path}: {names[0]} is missing; it holds {held}", hint="it needs x_train, y_train, x_test and y_test"
        )
    array = file[key]
    numbers = isinstance(array, np.ndarray) and array.dtype.kind in "biuf" and array.ndim > 0
    if not numbers or len(array) > MOST_ITEMS:
        raise DataError(f"{path}: {key} is no array of numbers for at most {MOST_ITEMS:,} images")
    return f"{path}: {key}", array


def _split(load: Load, part: str, notes: list[str]) -> Split:
    """Images and labels of one part, also where each lies under the other's name."""
    (images_name, images), (labels_name, labels) = load((part, "images")), load((part, "labels"))
    if arrays.are_images(labels) and not arrays.are_images(images):
        notes.append(f"{images_name} holds the labels, and {labels_name} the images: read the other way round")
        (images_name, images), (labels_name, labels) = (labels_name, labels), (images_name, images)
    split = Split(arrays.images(images, images_name, notes), arrays.labels(labels, labels_name, notes))
    if len(split.labels) != len(split.images):
        _, others = load(("test" if part == "train" else "train", "labels"))
        swapped = len(split.images) == len(others)
        raise DataError(
            f"{labels_name}: {format_count(len(split.labels), 'label')} for "
            f"{format_count(len(split.images), 'image')} in {Path(images_name).name}",
            hint="the labels to train and to test on look swapped: rename the files" if swapped else "",
        )
    if len(split) == 0:
        raise DataError(f"{images_name}: no images in it")
    return split


def download(root: Path, monitor: Monitor) -> None:
    """Fetch the four files into `root`/MNIST/raw, where torchvision looks for them too.

    Each file is checked by its MD5; the folder appears when all four are whole, or not at all.
    A second download at the same time waits for the first.
    """
    from torchvision.datasets import MNIST  # 2 s to import; only needed for the addresses and checksums

    target = root / _RAW
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / ".download.lock"):
            if (found := folder.find(target)) and found.complete:
                return
            for leftover in target.parent.glob(f"{folder.DRAFT}*"):
                shutil.rmtree(leftover)
            draft = target.with_name(f"{folder.DRAFT}{new_id()}")
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
        raise DataError(f"cannot write MNIST to {root}: {error.strerror or error}") from error


def _fetch(mirrors: list[str], name: str, md5: str, target: Path, monitor: Monitor) -> None:
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
            (target / name).write_bytes(content)
            return
        faults.append("wrong checksum")
    raise DataError(
        f"MNIST cannot be downloaded: no mirror served {name} ({'; '.join(faults)})",
        hint="without a network: generated digits (strokes; --data strokes) need no download, and MNIST's files are "
        "read from the folder of MNIST (--data-dir FOLDER)",
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
            if monitor.stop_requested():
                raise Stopped
    return b"".join(blocks)
