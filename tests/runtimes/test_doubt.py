"""What the sketchpad doubts, with the network of the tests and a small set; `benchmarks/doubt.py` measures it."""

import os

import numpy as np
import pytest
from PIL import Image

from convnet_core.data import strokes
from convnet_core.data.drawing import prepare
from convnet_core.data.not_digits import CALM
from convnet_core.data.pen import render, strokes_of
from convnet_core.networks.convnet import from_weights
from convnet_core.networks.weights import read_weights
from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.doubt import Doubt
from convnet_core.runtimes.pool import RuntimePool
from convnet_core.runtimes.predict import predict_files
from convnet_core.runtimes.pytorch import PyTorch
from testing import not_digits
from tests.conftest import RUNTIMES


def on_pad(draw, count=60):
    rng = np.random.default_rng(4)
    return np.stack([prepare(render(strokes_of(draw(rng)))) for _ in range(count)])[:, None]


@pytest.mark.slow
def test_scribbles_and_letters_are_doubted_and_digits_are_not(finished_run, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVNET_CACHE_DIR", str(tmp_path))
    _, network = from_weights(read_weights(finished_run.path / "export/model.safetensors"), "the network")
    doubt = Doubt.cached(network, "digest")
    digits = strokes.generate(300, 77, CALM)[0][:, None].astype(np.float32) / 255
    assert (doubt.scores(digits) > 0).mean() <= 0.02
    assert (doubt.scores(on_pad(not_digits.scribble)) > 0).mean() > 0.5
    assert (doubt.scores(on_pad(not_digits.drawn_letter)) > 0).mean() > 0.4
    again = Doubt.cached(network, "digest")  # from the cache
    np.testing.assert_array_equal(again.scores(digits), doubt.scores(digits))


@pytest.mark.slow
def test_predict_tells_a_digit_from_a_scribble(finished_run, tmp_path):
    paths = [tmp_path / "digit.png", tmp_path / "scribble.png"]
    rng = np.random.default_rng(4)
    digit = np.kron(255 - strokes.generate(1, 77, CALM)[0][0], np.ones((10, 10), np.uint8))
    for path, picture in zip(paths, (digit, render(strokes_of(not_digits.scribble(rng))) * 255), strict=True):
        Image.fromarray(picture.astype(np.uint8)).save(path)
    assert [image.doubt for image in predict_files(finished_run, paths, doubt=True)] == [False, True]
    assert [image.doubt for image in predict_files(finished_run, paths)] == [None, None]


def test_a_pool_that_is_closed_while_it_learns_leaves_nothing_in_the_worker(monkeypatch):
    reader = {"reader": "a pool"}

    class ClosedMeanwhile(PyTorch):
        def __init__(self):
            """Opens no file."""

        def learn_doubt(self):
            pool_worker.close(reader, {}, None)
            return "learned"

        def close(self):
            """Has nothing to close."""

    monkeypatch.setitem(pool_worker._open, ("a pool", "pytorch"), ClosedMeanwhile())
    pool_worker.learn_doubt(reader, {}, None)
    assert pool_worker._doubts == {}


def crash(content, arrays, notify):
    """Runs in the worker."""
    os.abort()


@pytest.mark.slow
def test_a_crash_while_learning_is_not_blamed_on_a_runtime(finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "learn_doubt", crash)
    pool = RuntimePool(finished_run, doubt=True)
    pool.wait()
    assert "SIGABRT" in pool.doubt_fault
    assert (pool.ready, pool.failed, pool.fault, pool.learning) == (RUNTIMES, {}, None, False)
    assert pool.doubt(np.zeros((1, 1, 28, 28), np.float32)) is None
    pool.close()
