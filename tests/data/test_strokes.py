import hashlib

import numpy as np
import pytest
import torch

from convnet_core.common.files import cache_folder
from convnet_core.config.stages import PRESETS, DataConfig
from convnet_core.data import digits as data
from convnet_core.data.drawing import prepare
from convnet_core.data.strokes import VERSION, generate
from convnet_core.events import Monitor
from convnet_core.networks.convnet import build
from convnet_core.training import loop
from convnet_core.training.loop import Tensors
from testing.drawings import drawings
from tests.conftest import python


@pytest.fixture(scope="module")
def strokes():
    return generate(2000, 5)


def test_the_same_seed_gives_the_same_bytes_in_another_process(strokes):
    code = """
import hashlib
from convnet_core.data.strokes import generate
print(hashlib.sha256(generate(2000, 5)[0]).hexdigest())
"""
    assert python(code).stdout.strip() == hashlib.sha256(strokes[0]).hexdigest()


def test_a_smaller_set_is_the_start_of_a_larger_one(strokes):
    images, labels = generate(700, 5)
    np.testing.assert_array_equal(images, strokes[0][:700])
    np.testing.assert_array_equal(labels, strokes[1][:700])


def test_other_seeds_give_other_images(strokes):
    assert (generate(2000, 6)[0] != strokes[0]).any(axis=(1, 2)).all()


def test_images_have_the_mnist_layout(strokes):
    images, labels = strokes
    assert (images.shape, images.dtype, labels.dtype) == ((2000, 28, 28), np.uint8, np.uint8)
    assert np.bincount(labels).tolist() == [200] * 10
    for image in images:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        longer = max(np.ptp(rows), np.ptp(columns)) + 1
        assert 16 <= longer <= 23  # the ink's box is 20, and its edge is soft and frayed
        position = np.arange(28)
        mass = image.sum(dtype=float)
        assert abs((image.sum(1) @ position) / mass - 13.5) <= 0.75
        assert abs((image.sum(0) @ position) / mass - 13.5) <= 0.75


def test_the_amount_of_ink_is_close_to_mnist(strokes, mnist_dir):
    real = data.load(DataConfig(source="mnist", folder=str(mnist_dir), train_size=5000)).train.images
    assert strokes[0].mean() == pytest.approx(real.mean(), rel=0.15)


def test_train_and_test_images_differ_and_are_cached():
    config = DataConfig(train_size=500, test_size=500)
    first = data.load(config)
    assert (first.train.images != first.test.images).any(axis=(1, 2)).all()
    assert data.load(config).fingerprint == first.fingerprint
    (cache_file,) = (cache_folder() / "strokes").glob("*seed0-500.npz")
    cache_file.write_bytes(cache_file.read_bytes()[:1000])  # a truncated cache is generated again
    assert data.load(config).fingerprint == first.fingerprint


def test_a_temporary_file_of_another_process_may_disappear():
    folder = cache_folder() / "strokes"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".v{VERSION}-seed6-40.other.npz"
    temporary.symlink_to(folder / "renamed meanwhile")  # listed, but missing when opened
    assert not (folder / f"v{VERSION}-seed6-40.npz").exists()  # else nothing would be written
    assert len(data.load(DataConfig(seed=3, train_size=40, test_size=40)).train) == 40
    temporary.unlink()


@pytest.fixture(scope="module")
def fast_network():
    """The network of the preset `fast`, trained on the default strokes."""
    config = PRESETS["fast"].replace(device="cpu")
    state = loop.start_training(build(config.model, 0), config, torch.device("cpu"))
    train, validation = loop.split_off_validation(Tensors.of(data.load(DataConfig()).train), config)
    loop.fit(state, train, validation, config, Monitor())
    return state.model.eval()


@pytest.mark.slow
def test_the_reference_network_trained_only_on_strokes_reads_mnist(fast_network, mnist_dir):
    """The goal is 88 %; the MNIST test set was never tuned on."""
    real = data.load(DataConfig(source="mnist", folder=str(mnist_dir))).test
    assert loop.evaluate(fast_network, Tensors.of(real)).accuracy >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_digits_drawn_with_a_mouse_are_read(fast_network, seed):
    """The goal is 90 % of drawings small and large, thin and thick, slanted and off-center."""
    images, digits = drawings(200, seed)
    prepared = np.stack([prepare(image.astype(np.float32) / 255) for image in images])[:, None]
    with torch.no_grad():
        answers = fast_network(torch.from_numpy(prepared)).argmax(1).numpy()
    assert (answers == digits).mean() >= 0.9
