"""Digits as people have them: read where they can only mean one thing, else one line says what they look like."""

import gzip
import struct

import numpy as np
import pytest

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data import folder
from convnet_core.errors import DataError
from tests.conftest import convnet
from tests.support.idx_files import idx

TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(scope="module")
def digits():
    """Images and labels to train and to test, each label there."""
    rng = np.random.default_rng(5)
    labels = np.arange(30, dtype=np.uint8) % 10, np.arange(20, dtype=np.uint8) % 10
    images = [rng.integers(0, 256, (len(part), 28, 28), np.uint8) for part in labels]
    return images[0], labels[0], images[1], labels[1]


def write(place, arrays, names=NAMES, pack=lambda content: content):
    """The four files of a data set, IDX of each array's own type."""
    for name, array in zip(names, arrays, strict=True):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = array.dtype.newbyteorder("=").str[1:]
        path.write_bytes(pack(idx(array.astype(f">{kind}"), bytes([0, 0, TYPES[kind], array.ndim]))))
    return place


def load(path):
    return data.load(DataConfig(source=str(path)))


def assert_equal(found, digits):
    arrays = (found.train.images, found.train.labels, found.test.images, found.test.labels)
    for array, expected in zip(arrays, digits, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)


def changed(digits, images=lambda array: array, labels=lambda array: array):
    return tuple((images if array.ndim == 3 else labels)(array) for array in digits)


@pytest.mark.parametrize(
    ("pattern", "pack"),
    [
        ("{}", gzip.compress),
        ("{}.gz", lambda content: content),
        ("{0}/{0}", lambda content: content),
        ("archive/{0}/{0}", lambda content: content),
        ("MNIST/raw/{}", lambda content: content),
        ("FashionMNIST/raw/{}.gz", gzip.compress),
        ("raw/{}", lambda content: content),
    ],
)
def test_packed_or_not_and_wherever_archives_have_them(tmp_path, digits, pattern, pack):
    write(tmp_path, digits, [pattern.format(name) for name in NAMES], pack)
    found = load(tmp_path)
    assert_equal(found, digits)
    assert not found.notes
    assert data.train_count(DataConfig(source=str(tmp_path))) == 30


def test_kaggles_names_with_a_dot(tmp_path, digits):
    write(tmp_path, digits, [name.replace("-idx", ".idx") for name in NAMES])
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES])
    assert_equal(load(tmp_path), digits)


def test_emnists_images_are_turned_upright(tmp_path, digits):
    names = [f"emnist-digits-{name.replace('t10k', 'test')}.gz" for name in NAMES]
    write(tmp_path, changed(digits, lambda images: images.transpose(0, 2, 1)), names, gzip.compress)
    found = load(tmp_path)
    assert_equal(found, digits)
    assert "rows and columns" in found.notes[0]


def test_of_emnists_sets_the_digits_are_taken(tmp_path, digits):
    for kind, more in (("balanced", 30), ("digits", 0), ("letters", 20)):
        names = [f"emnist-{kind}-{name.replace('t10k', 'test')}" for name in NAMES]
        write(tmp_path, changed(digits, labels=lambda labels, more=more: labels + more), names)
    np.testing.assert_array_equal(load(tmp_path).train.labels, digits[1])


def test_qmnists_labels_have_eight_columns(tmp_path, digits):
    names = [f"qmnist-{name.replace('t10k', 'test')}" for name in NAMES]
    names = [name.replace("labels-idx1-ubyte", "labels-idx2-int") for name in names]
    wide = changed(digits, labels=lambda labels: np.repeat(labels[:, None], 8, 1).astype(np.int32))
    assert_equal(load(write(tmp_path, wide, names)), digits)


def test_mnist_from_a_root_that_holds_other_sets_too(tmp_path, digits):
    write(tmp_path / "MNIST/raw", digits)
    write(tmp_path / "FashionMNIST/raw", changed(digits, np.zeros_like))
    assert_equal(data.load(DataConfig(source="mnist", folder=str(tmp_path))), digits)
    with pytest.raises(DataError, match=r"several data sets: .*FashionMNIST.*MNIST"):
        load(tmp_path)


def test_fashion_is_never_taken_for_mnist(tmp_path, digits):
    write(tmp_path / "FashionMNIST/raw", digits)
    assert folder.find(tmp_path, mnist=True) is None


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (lambda a: a.astype(np.float32), None),
        (lambda a: a / 255, None),
        (lambda a: a.astype(np.int16), lambda a: a.astype(np.int32)),
        (None, lambda a: a.astype(np.float32)),
        (lambda a: np.repeat(a[..., None], 3, axis=3), None),
        (lambda a: np.repeat(a[:, None], 3, axis=1), lambda a: a[:, None]),
        (lambda a: a[..., None], lambda a: np.eye(10, dtype=np.uint8)[a]),
        (lambda a: a.reshape(-1, 784), lambda a: np.eye(10, dtype=np.float32)[a]),
    ],
)
def test_other_types_and_shapes_that_mean_one_thing(tmp_path, digits, images, labels):
    unchanged = lambda array: array  # noqa: E731
    write(tmp_path, changed(digits, images or unchanged, labels or unchanged))
    assert_equal(load(tmp_path), digits)


def test_images_of_zeros_and_ones(tmp_path, digits):
    found = load(write(tmp_path, changed(digits, lambda images: images // 128)))
    np.testing.assert_array_equal(found.train.images, (digits[0] >= 128) * 255)


def test_sizes_in_the_other_byte_order(tmp_path, digits):
    write(tmp_path, digits)
    for name, array in zip(NAMES, digits, strict=True):
        (tmp_path / name).write_bytes(
            bytes([0, 0, 8, array.ndim]) + struct.pack(f"<{array.ndim}i", *array.shape) + array.tobytes()
        )
    assert_equal(load(tmp_path), digits)


def test_images_and_labels_under_each_others_names(tmp_path, digits):
    found = load(write(tmp_path, digits, [NAMES[place] for place in (1, 0, 3, 2)]))
    assert_equal(found, digits)
    assert "swapped them" in found.notes[0]


def test_labels_to_train_and_test_on_under_each_others_names(tmp_path, digits):
    write(tmp_path, digits, [NAMES[place] for place in (0, 3, 2, 1)])
    with pytest.raises(DataError, match="20 labels for 30 images") as caught:
        load(tmp_path)
    assert "swapped" in caught.value.hint


def test_fewer_images_to_train_than_to_test_on_are_said(tmp_path, digits):
    found = load(write(tmp_path, digits, [NAMES[place] for place in (2, 3, 0, 1)]))
    assert "swapped?" in found.notes[0]


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (None, lambda a: a + 1, "labels from 1 to 10: either the digit"),
        (None, lambda a: a + 15, "label 15 at position 0; labels must be 0 to 9, but these are 15 to 24"),
        (None, lambda a: a.astype(np.int8) - 1, "label -1 at position 0"),
        (None, lambda a: a + np.float32(0.5), "label 0.5 at position 0"),
        (None, lambda a: np.eye(10, dtype=np.uint8)[a] * 2, "labels must be one digit each"),
        (lambda a: a[:, :16, :16], None, "16 × 16, not 28 × 28"),
        (lambda a: a / np.float32(100) - 1, None, "pixels from -1 to 1.55"),
        (lambda a: a * np.int32(257), None, "pixels from 0 to 6.55e"),
        (lambda a: a * np.float32(np.nan), None, "pixels from nan"),
    ],
)
def test_what_could_mean_two_things_is_named(tmp_path, digits, images, labels, says):
    unchanged = lambda array: array  # noqa: E731
    write(tmp_path, changed(digits, images or unchanged, labels or unchanged))
    with pytest.raises(DataError, match=says):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><html>403 Forbidden</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"\0\0\1\1", "its first bytes are damaged"),
        (b"1,2,3\n", "text"),
    ],
)
def test_another_file_under_the_name_is_named(tmp_path, digits, content, says):
    (write(tmp_path, digits) / NAMES[0]).write_bytes(content)
    with pytest.raises(DataError, match=says):
        load(tmp_path)


@pytest.mark.parametrize("names", [("x_train", "y_train", "x_test", "y_test"), ()])
def test_an_npz_in_a_folder_or_by_itself(tmp_path, digits, names):
    names = names or ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(tmp_path / "mnist.npz", **dict(zip(names, digits, strict=True)))
    assert_equal(load(tmp_path), digits)
    assert_equal(load(tmp_path / "mnist.npz"), digits)


def test_an_npz_of_other_arrays_is_said(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    with pytest.raises(DataError, match="x_train is missing; it has images"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["mnist_train.csv"], "but a CSV file"),
        (["train/0/a.png", "train/1/b.png"], r"but pictures \(2\)"),
        (["data/train-00000-of-00001.parquet"], "but a Parquet table"),
        ([], "has no data set"),
    ],
)
def test_a_folder_of_something_else_is_named(tmp_path, names, says):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=says) as caught:
        load(tmp_path)
    assert "train-images-idx3-ubyte" in caught.value.hint
    assert "x_train" in caught.value.hint


def test_the_command_says_how_it_read_them(tmp_path, digits):
    write(tmp_path, changed(digits, labels=lambda labels: np.eye(10, dtype=np.uint8)[labels]))
    assert "one-hot" in convnet("data", "--data", tmp_path).stderr


def test_a_change_of_a_file_deep_in_a_folder_is_seen(tmp_path, digits):
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES])
    before = data.stamp(DataConfig(source=str(tmp_path)))
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES], gzip.compress)
    assert before != data.stamp(DataConfig(source=str(tmp_path)))
