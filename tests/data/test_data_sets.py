"""Data sets of digits as people have them: unambiguous ones are read, others give an error that describes them."""

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
    """Train images, train labels, test images and test labels; every label occurs."""
    rng = np.random.default_rng(5)
    labels = np.arange(30, dtype=np.uint8) % 10, np.arange(20, dtype=np.uint8) % 10
    images = [rng.integers(0, 256, (len(part), 28, 28), np.uint8) for part in labels]
    return images[0], labels[0], images[1], labels[1]


def write(folder_path, arrays, names=NAMES, pack=lambda content: content):
    """Write the four IDX files of a data set, each with its array's dtype."""
    for name, array in zip(names, arrays, strict=True):
        path = folder_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = array.dtype.newbyteorder("=").str[1:]
        path.write_bytes(pack(idx(array.astype(f">{kind}"), bytes([0, 0, TYPES[kind], array.ndim]))))
    return folder_path


def load(path):
    return data.load(DataConfig(source=str(path)))


def assert_equal(data_set, digits):
    arrays = (data_set.train.images, data_set.train.labels, data_set.test.images, data_set.test.labels)
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
def test_files_are_read_compressed_or_not_and_from_archive_folders(tmp_path, digits, pattern, pack):
    write(tmp_path, digits, [pattern.format(name) for name in NAMES], pack)
    data_set = load(tmp_path)
    assert_equal(data_set, digits)
    assert not data_set.notes
    assert data.train_count(DataConfig(source=str(tmp_path))) == 30


def test_kaggle_names_with_a_dot(tmp_path, digits):
    write(tmp_path, digits, [name.replace("-idx", ".idx") for name in NAMES])
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES])
    assert_equal(load(tmp_path), digits)


def test_emnist_images_are_turned_upright(tmp_path, digits):
    names = [f"emnist-digits-{name.replace('t10k', 'test')}.gz" for name in NAMES]
    write(tmp_path, changed(digits, lambda images: images.transpose(0, 2, 1)), names, gzip.compress)
    data_set = load(tmp_path)
    assert_equal(data_set, digits)
    assert "rows and columns" in data_set.notes[0]


def test_of_several_emnist_sets_the_digits_are_read(tmp_path, digits):
    for kind, more in (("balanced", 30), ("digits", 0), ("letters", 20)):
        names = [f"emnist-{kind}-{name.replace('t10k', 'test')}" for name in NAMES]
        write(tmp_path, changed(digits, labels=lambda labels, more=more: labels + more), names)
    np.testing.assert_array_equal(load(tmp_path).train.labels, digits[1])


def test_qmnist_labels_with_eight_columns(tmp_path, digits):
    names = [f"qmnist-{name.replace('t10k', 'test')}" for name in NAMES]
    names = [name.replace("labels-idx1-ubyte", "labels-idx2-int") for name in names]
    wide = changed(digits, labels=lambda labels: np.repeat(labels[:, None], 8, 1).astype(np.int32))
    assert_equal(load(write(tmp_path, wide, names)), digits)


def test_mnist_is_read_from_a_root_with_other_data_sets(tmp_path, digits):
    write(tmp_path / "MNIST/raw", digits)
    write(tmp_path / "FashionMNIST/raw", changed(digits, np.zeros_like))
    assert_equal(data.load(DataConfig(source="mnist", folder=str(tmp_path))), digits)
    with pytest.raises(DataError, match=r"several data sets: .*FashionMNIST.*MNIST"):
        load(tmp_path)


def test_fashion_mnist_is_not_mistaken_for_mnist(tmp_path, digits):
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
def test_unambiguous_dtypes_and_shapes_are_read(tmp_path, digits, images, labels):
    unchanged = lambda array: array  # noqa: E731
    write(tmp_path, changed(digits, images or unchanged, labels or unchanged))
    assert_equal(load(tmp_path), digits)


def test_images_of_zeros_and_ones_are_scaled(tmp_path, digits):
    data_set = load(write(tmp_path, changed(digits, lambda images: images // 128)))
    np.testing.assert_array_equal(data_set.train.images, (digits[0] >= 128) * 255)


def test_sizes_in_little_endian_order_are_read(tmp_path, digits):
    write(tmp_path, digits)
    for name, array in zip(NAMES, digits, strict=True):
        (tmp_path / name).write_bytes(
            bytes([0, 0, 8, array.ndim]) + struct.pack(f"<{array.ndim}i", *array.shape) + array.tobytes()
        )
    assert_equal(load(tmp_path), digits)


def test_swapped_image_and_label_files_are_read_with_a_note(tmp_path, digits):
    data_set = load(write(tmp_path, digits, [NAMES[index] for index in (1, 0, 3, 2)]))
    assert_equal(data_set, digits)
    assert "swapped them" in data_set.notes[0]


def test_swapped_train_and_test_labels_are_an_error(tmp_path, digits):
    write(tmp_path, digits, [NAMES[index] for index in (0, 3, 2, 1)])
    with pytest.raises(DataError, match="20 labels for 30 images") as caught:
        load(tmp_path)
    assert "swapped" in caught.value.hint


def test_fewer_train_images_than_test_images_give_a_note(tmp_path, digits):
    data_set = load(write(tmp_path, digits, [NAMES[index] for index in (2, 3, 0, 1)]))
    assert "swapped?" in data_set.notes[0]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
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
def test_ambiguous_data_is_an_error_that_describes_it(tmp_path, digits, images, labels, message):
    unchanged = lambda array: array  # noqa: E731
    write(tmp_path, changed(digits, images or unchanged, labels or unchanged))
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>403 Forbidden</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"\0\0\1\1", "its first bytes are damaged"),
        (b"1,2,3\n", "text"),
    ],
)
def test_a_file_with_other_content_is_described(tmp_path, digits, content, message):
    (write(tmp_path, digits) / NAMES[0]).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("names", [("x_train", "y_train", "x_test", "y_test"), ()])
def test_an_npz_in_a_folder_or_by_itself(tmp_path, digits, names):
    names = names or ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(tmp_path / "mnist.npz", **dict(zip(names, digits, strict=True)))
    assert_equal(load(tmp_path), digits)
    assert_equal(load(tmp_path / "mnist.npz"), digits)


def test_an_npz_with_other_arrays_is_an_error(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    with pytest.raises(DataError, match="x_train is missing; it has images"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mnist_train.csv"], "but a CSV file"),
        (["train/0/a.png", "train/1/b.png"], r"but pictures \(2\)"),
        (["data/train-00000-of-00001.parquet"], "but a Parquet table"),
        ([], "has no data set"),
    ],
)
def test_a_folder_with_other_files_is_described(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "train-images-idx3-ubyte" in caught.value.hint
    assert "x_train" in caught.value.hint


def test_the_command_prints_how_it_read_the_data(tmp_path, digits):
    write(tmp_path, changed(digits, labels=lambda labels: np.eye(10, dtype=np.uint8)[labels]))
    assert "one-hot" in convnet("data", "--data", tmp_path).stderr


def test_a_change_deep_in_a_folder_changes_the_stamp(tmp_path, digits):
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES])
    before = data.stamp(DataConfig(source=str(tmp_path)))
    write(tmp_path, digits, [f"{name}/{name}" for name in NAMES], gzip.compress)
    assert before != data.stamp(DataConfig(source=str(tmp_path)))
