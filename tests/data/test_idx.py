"""Folders of IDX files, whole and damaged."""

import errno
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data import mnist, strokes_cache
from convnet_core.data.idx import read_idx
from convnet_core.data.sources import absolute
from convnet_core.errors import DataError
from tests.support.idx_files import IMAGES, LABELS, idx, write_folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_idx_files_is_read(tmp_path, rng, zipped):
    folder = write_folder(tmp_path / "idx", rng, zipped=zipped)
    digits = data.load(DataConfig(source=str(folder)))
    assert digits.train.images.shape == (30, 28, 28)
    expected = np.random.default_rng(0)
    np.testing.assert_array_equal(digits.train.images, expected.integers(0, 256, (30, 28, 28), np.uint8))
    np.testing.assert_array_equal(digits.train.labels, expected.integers(0, 10, 30, np.uint8))
    assert len(digits.test) == 20


def test_the_real_mnist_is_read(mnist_dir):
    digits = data.load(DataConfig(source="mnist", folder=str(mnist_dir)))
    assert (digits.train.images.shape, digits.test.images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert digits.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_sizes_select_the_first_images(tmp_path, rng):
    folder = write_folder(tmp_path / "idx", rng)
    digits = data.load(DataConfig(source=str(folder), train_size=7, test_size=3))
    assert (len(digits.train), len(digits.test)) == (7, 3)


GOOD = np.zeros((30, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (IMAGES, idx(GOOD, b"\0\0\x0d\3"), "truncated, 23520 bytes of data instead of 94080"),
        (IMAGES, b"", "an empty file; expected an IDX file"),
        (IMAGES, idx(GOOD)[:10], "truncated in its header"),
        (IMAGES, idx(GOOD)[:-1], "truncated, 23519 bytes of data instead of 23520"),
        (IMAGES, idx(GOOD) + b"x", "more data than in its header"),
        (IMAGES, idx(np.zeros((30, 27, 28), np.uint8)), "27 × 28, not 28 × 28"),
        (IMAGES, b"\0\0\x08\3" + struct.pack(">3i", 2**31 - 1, 28, 28), "has 2147483647 items"),
        (LABELS, idx(np.zeros(29, np.uint8)), "29 labels for 30 images"),
        (LABELS, idx(np.full(30, 10, np.uint8)), "label 10 at position 0; labels must be 0 to 9"),
        (IMAGES + ".gz", b"not gzip", "a text file; expected an IDX file"),
        (IMAGES + ".gz", gzip.compress(idx(GOOD), mtime=0)[:-20], "truncated or damaged gzip|damaged gzip"),
        (LABELS, None, "missing"),
    ],
)
def test_the_error_names_the_bad_file_and_what_is_wrong(tmp_path, rng, file, content, message):
    folder = write_folder(tmp_path / "idx", rng)
    (folder / file.removesuffix(".gz")).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        data.load(DataConfig(source=str(folder)))
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_truncated_anywhere_is_an_error(tmp_path, rng):
    content = gzip.compress(idx(np.arange(50, dtype=np.uint8) % 10))
    for end in range(len(content)):
        path = tmp_path / "cut.gz"
        path.write_bytes(content[:end])
        with pytest.raises(DataError):
            read_idx(path)


def test_the_image_count_of_a_damaged_file_falls_back_to_the_default(tmp_path, rng):
    path = write_folder(tmp_path, rng, zipped=True) / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[10:14] = b"\xff" * 4  # an invalid deflate block type
    path.write_bytes(content)
    config = DataConfig(source=str(tmp_path))
    assert data.train_count(config) == strokes_cache.SIZES[0]
    with pytest.raises(DataError, match=f"{IMAGES}.gz: truncated or damaged gzip data"):
        data.load(config)


def test_a_name_that_is_too_long_is_an_error(tmp_path):
    long = str(tmp_path / ("x" * 300))
    assert data.train_count(DataConfig(source=long)) == strokes_cache.SIZES[0]
    for config in (DataConfig(source=long), DataConfig(source="mnist", folder=long)):
        for read in (data.load, data.stamp):
            with pytest.raises(DataError, match="cannot be read: File name too long"):
                read(config)


def test_a_folder_without_read_permission_is_an_error(tmp_path, monkeypatch):
    def deny(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", deny)  # chmod does not stop root
    (tmp_path / IMAGES).touch()
    assert mnist.train_count(tmp_path) is None
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        data.load(DataConfig(source=str(tmp_path)))


@pytest.mark.parametrize("name", ["~nobodyhere/digits", "a\0b"])
def test_an_impossible_path_is_not_a_folder(name):
    config = absolute(DataConfig(source=name))
    assert data.train_count(config) == strokes_cache.SIZES[0]
    with pytest.raises(DataError, match="is not a folder"):
        data.load(config)


def test_a_missing_folder_is_an_error():
    with pytest.raises(DataError, match="is not a folder"):
        data.load(DataConfig(source="/nonexistent"))
