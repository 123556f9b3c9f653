"""What the sketchpad doubts, with the network of the tests and a small set; `benchmarks/doubt.py` measures it."""

import numpy as np
import pytest

from convnet_core.data import strokes
from convnet_core.data.drawing import prepare
from convnet_core.data.not_digits import CALM
from convnet_core.data.pen import render, strokes_of
from convnet_core.networks.convnet import from_weights
from convnet_core.networks.weights import read_weights
from convnet_core.runtimes.doubt import Doubt
from testing import not_digits


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
