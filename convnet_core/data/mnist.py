"""Read MNIST and similar data sets from a folder, or download MNIST from torchvision's mirrors."""

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
from convnet_core.common.formatting import join_clauses, list_words
from convnet_core.data import arrays, folder
from convnet_core.data.folder import DataSet, Role
from convnet_core.data.idx import MAX_BYTES, MAX_ITEMS, read_header, read_idx
from convnet_core.data.split import Split
from convnet_core.errors import DataError, Stopped, one_line
from convnet_core.events import Message, Monitor, Progress
from convnet_core.language import _, plural

Load = Callable[[Role], tuple[str, NDArray[Any]]]
"""Returns, for a role, a name for messages and the array."""

_RAW = Path("MNIST") / "raw"  # torchvision's folder for the files
_TIMEOUT = 30.0  # seconds without a byte


def read_or_download(root: Path, monitor: Monitor) -> tuple[Split, Split, list[str]]:
    """Read MNIST from a folder as `read` does; first download it if the folder has none of the files."""
    data_set = folder.find(root, mnist=True)
    if data_set is None:
        download(root, monitor)
        data_set = folder.find(root, mnist=True)
        assert data_set
    return read(data_set)


def read_path(path: Path) -> tuple[Split, Split, list[str]]:
    """Read the data set at a path as `read` does. Raises DataError if there is none."""
    data_set = folder.find(path)
    if data_set is None:
        raise DataError(
            folder.describe(path),
            hint=_(
                "a data set is a folder with the four files of MNIST (train-images-idx3-ubyte, train-labels-…, "
                "t10k-images-…, t10k-labels-…), or an .npz with x_train, y_train, x_test and y_test"
            ),
        )
    return read(data_set)


def read(data_set: DataSet) -> tuple[Split, Split, list[str]]:
    """Read the training and test set, with a note for each difference from MNIST's format.

    Raises DataError, which names the file and the problem.
    """
    notes: list[str] = []
    with _open(data_set) as load:
        train, test = _split(load, "train", notes), _split(load, "test", notes)
    if data_set.prefix.startswith("emnist"):
        train, test = (Split(part.images.transpose(0, 2, 1).copy(), part.labels) for part in (train, test))
        notes.append(_("{data_set}: EMNIST's images are transposed; swapped rows and columns", data_set=data_set))
    if len(train) < len(test):
        notes.append(
            _(
                "{data_set}: {train:,} training images and {test:,} test images: are they swapped?",
                data_set=data_set,
                train=len(train),
                test=len(test),
            )
        )
    return train, test, notes


def train_count(path: Path) -> int | None:
    """The number of training images at a path, from a file's header; None if unknown."""
    try:
        data_set = folder.find(path)
        if data_set is None or data_set.archive:
            return None
        return read_header(data_set.file(("train", "images"))).shape[0] or None
    except DataError:
        return None


@contextlib.contextmanager
def _open(data_set: DataSet) -> Iterator[Load]:
    """A function that loads one array; valid inside the context."""
    if not data_set.archive:
        yield lambda role: (str(data_set.file(role)), read_idx(data_set.file(role)))
        return
    path = data_set.archive
    try:
        check_archive(path, MAX_BYTES)
        with np.load(path, allow_pickle=False) as file:
            yield lambda role: _member(file, role, path)
    except DataError:
        raise
    except zipfile.BadZipFile as error:
        raise DataError(_("{path}: not an .npz file, or damaged", path=path)) from error
    except Exception as error:  # zlib and NumPy raise many exception types
        raise DataError(f"{path}: {one_line(error)}") from error


def _member(file: Any, role: Role, path: Path) -> tuple[str, NDArray[Any]]:
    """Read an array of an .npz by its name in Keras or MedMNIST. Raises DataError."""
    part, kind = role
    names = (f"{'x' if kind == 'images' else 'y'}_{part}", f"{part}_{kind}")
    key = next((name for name in names if name in file.files), None)
    if key is None:
        content = list_words(file.files[:8]) or _("nothing")
        raise DataError(
            _("{path}: {name} is missing; it has {content}", path=path, name=names[0], content=content),
            hint=_("it needs x_train, y_train, x_test and y_test"),
        )
    array = file[key]
    is_numeric = isinstance(array, np.ndarray) and array.dtype.kind in "biuf" and array.ndim > 0
    if not is_numeric or len(array) > MAX_ITEMS:
        raise DataError(
            _("{path}: {key} must be a numeric array for at most {limit:,} images", path=path, key=key, limit=MAX_ITEMS)
        )
    return f"{path}: {key}", array


def _split(load: Load, part: str, notes: list[str]) -> Split:
    """Load the images and labels of one part; swap them if each has the other's name."""
    (images_name, images), (labels_name, labels) = load((part, "images")), load((part, "labels"))
    if arrays.are_images(labels) and not arrays.are_images(images):
        notes.append(
            _(
                "{images_name} has the labels and {labels_name} the images: swapped them",
                images_name=images_name,
                labels_name=labels_name,
            )
        )
        (images_name, images), (labels_name, labels) = (labels_name, labels), (images_name, images)
    split = Split(arrays.images(images, images_name, notes), arrays.labels(labels, labels_name, notes))
    if len(split.labels) != len(split.images):
        others = load(("test" if part == "train" else "train", "labels"))[1]
        swapped = len(split.images) == len(others)
        raise DataError(
            _(
                "{file}: {labels} for {images} in {other}",
                file=labels_name,
                labels=plural("{count} label", "{count} labels", len(split.labels)),
                images=plural("{count} image", "{count} images", len(split.images)),
                other=Path(images_name).name,
            ),
            hint=_("the training and test labels look swapped: rename the files") if swapped else "",
        )
    if len(split) == 0:
        raise DataError(_("{images_name}: has no images", images_name=images_name))
    return split


def download(root: Path, monitor: Monitor) -> None:
    """Download the four files to `root`/MNIST/raw, where torchvision also looks for them.

    Checks the MD5 of each file; the folder appears only once all four are complete. A second
    download at the same time waits for the first. Raises DataError and Stopped.
    """
    from torchvision.datasets import MNIST  # slow to import (2 s); needed for the URLs and checksums

    target = root / _RAW
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / ".download.lock"):
            if (data_set := folder.find(target)) and data_set.complete:
                return
            for leftover in target.parent.glob(f"{folder.DRAFT}*"):
                shutil.rmtree(leftover)
            draft = target.with_name(f"{folder.DRAFT}{new_id()}")
            draft.mkdir()
            try:
                for name, md5 in MNIST.resources:
                    _download_file(MNIST.mirrors, name, md5, draft, monitor)
                if target.exists():
                    shutil.rmtree(target)
                os.replace(draft, target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DataError(
            _("cannot write MNIST to {root}: {reason}", root=root, reason=error.strerror or error)
        ) from error


def _download_file(mirrors: list[str], name: str, md5: str, target: Path, monitor: Monitor) -> None:
    """Download one file from the first mirror that serves it completely."""
    failures = []
    for mirror in mirrors:
        try:
            content = _read_url(
                mirror + name,
                lambda done, total: monitor.emit(
                    Progress(label=_("downloading {name}", name=name), done=done, total=total, unit=_("bytes"))
                ),
                monitor,
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(str(getattr(error, "reason", error)))
            monitor.emit(
                Message(
                    text=_("{mirror} did not serve {name}: {reason}", mirror=mirror, name=name, reason=failures[-1])
                )
            )
            continue
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            (target / name).write_bytes(content)
            return
        failures.append(_("wrong checksum"))
    raise DataError(
        _("MNIST cannot be downloaded: no mirror served {name} ({reasons})", name=name, reasons=join_clauses(failures)),
        hint=_(
            "without a network, use generated digits (--data strokes), or put MNIST's files into a folder "
            "(--data-dir FOLDER)"
        ),
    )


def _read_url(url: str, progress: Callable[[int, int], None], monitor: Monitor) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0)
        blocks, done = [], 0
        while block := response.read(1 << 16):
            blocks.append(block)
            done += len(block)
            if done > 1 << 26:
                raise ValueError("the file is too large")
            progress(done, max(total, done))
            if monitor.stop_requested():
                raise Stopped
    return b"".join(blocks)
