import hashlib

import numpy as np
import pytest

from convnet_core import data
from convnet_core.config import PRESETS, DataConfig
from convnet_core.data.strokes import generate
from convnet_core.files import cache_folder
from tests.conftest import python


@pytest.fixture(scope="module")
def drawn():
    return generate(2000, 5)


def test_the_same_seed_gives_the_same_bytes_in_another_process(drawn):
    code = """
import hashlib
from convnet_core.data.strokes import generate
print(hashlib.sha256(generate(2000, 5)[0]).hexdigest())
"""
    assert python(code).stdout.strip() == hashlib.sha256(drawn[0]).hexdigest()


def test_fewer_images_are_the_first_of_more(drawn):
    images, labels = generate(700, 5)
    np.testing.assert_array_equal(images, drawn[0][:700])
    np.testing.assert_array_equal(labels, drawn[1][:700])


def test_other_seeds_give_other_images(drawn):
    assert (generate(2000, 6)[0] != drawn[0]).any(axis=(1, 2)).all()


def test_the_layout_is_that_of_mnist(drawn):
    images, labels = drawn
    assert (images.shape, images.dtype, labels.dtype) == ((2000, 28, 28), np.uint8, np.uint8)
    assert np.bincount(labels).tolist() == [200] * 10
    for image in images:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        longer = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 18 <= longer <= 22  # the ink's box is 20, and its edge is soft
        place = np.arange(28)
        mass = image.sum(dtype=float)
        assert abs((image.sum(1) @ place) / mass - 13.5) <= 0.75
        assert abs((image.sum(0) @ place) / mass - 13.5) <= 0.75


def test_ink_is_about_as_much_as_in_mnist(drawn, mnist_dir):
    real = data.load(DataConfig(source="mnist", folder=str(mnist_dir), train_size=5000)).train.images
    assert drawn[0].mean() == pytest.approx(real.mean(), rel=0.15)


def test_train_and_test_images_differ_and_are_cached():
    config = DataConfig(train_size=500, test_size=500)
    first = data.load(config)
    assert (first.train.images != first.test.images).any(axis=(1, 2)).all()
    assert data.load(config).fingerprint == first.fingerprint
    (cached,) = (cache_folder() / "strokes").glob("*seed0-500.npz")
    cached.write_bytes(cached.read_bytes()[:1000])  # a cache cut short is made again
    assert data.load(config).fingerprint == first.fingerprint


@pytest.mark.slow
def test_trained_on_strokes_alone_the_reference_network_reads_mnist(mnist_dir):
    """The goal is 88 %. The recipe is `reference`; the MNIST test set was never tuned on."""
    import torch

    from convnet_core import training
    from convnet_core.events import Monitor
    from convnet_core.model import build
    from convnet_core.training import Tensors

    def tensors(split):
        return Tensors(torch.from_numpy(split.images), torch.from_numpy(split.labels.astype(np.int64)))

    config = PRESETS["reference"].replace(epochs=2, device="cpu")
    state = training.begin(build(config.model, 0), config, torch.device("cpu"))
    training.fit(state, tensors(data.load(DataConfig()).train), None, config, Monitor())
    real = data.load(DataConfig(source="mnist", folder=str(mnist_dir))).test
    assert training.evaluate(state.model, tensors(real)).accuracy >= 0.88
