import numpy as np
import pytest
from PIL import Image

from convnet_core.data import gallery
from convnet_core.data.split import Split
from convnet_core.errors import DataError
from tests.conftest import convnet


@pytest.fixture
def split(rng):
    labels = np.array([0, 1, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9], np.uint8)
    return Split(rng.integers(0, 256, (12, 28, 28), np.uint8), labels)


def test_counts_mean_images_and_samples(split):
    assert gallery.counts(split) == [1, 2, 1, 1, 1, 1, 1, 1, 0, 3]
    means = gallery.mean_images(split)
    assert np.array_equal(means[1], (split.images[1].astype(int) + split.images[2]) // 2)
    assert not means[8].any()
    assert [len(row) for row in gallery.samples(split, 2)] == [1, 2, 1, 1, 1, 1, 1, 1, 0, 2]


def test_a_sheet_shows_every_image_inverted(split):
    rows = gallery.samples(split, 2)
    picture = np.asarray(gallery.sheet(rows, enlarge=1))
    assert np.array_equal(picture[:28, :28], 255 - rows[0][0])
    assert np.array_equal(picture[30:58, 30:58], 255 - rows[1][1])


def test_a_file_that_cannot_be_written_is_a_data_error(split, tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        gallery.save(gallery.sheet([split.images]), tmp_path / "none" / "x.png")


def test_the_command_counts_and_draws(tmp_path):
    path = tmp_path / "digits.png"
    flags = ["--train-size", "300", "--test-size", "50"]
    plain = convnet("data", *flags, "--gallery", path)
    assert "300" in plain.stdout
    first = np.asarray(Image.open(path))
    assert first.shape == (2 * 10 * 30, 2 * 20 * 30)
    convnet("data", *flags, "--gallery", path, "--augment-rotation", "30")
    assert not np.array_equal(first, np.asarray(Image.open(path)))
