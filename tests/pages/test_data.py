"""The Data page with AppTest: each source and its errors, augmentation."""

import threading

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime.scriptrunner_utils.exceptions import StopException

from convnet_core.data import strokes, strokes_cache
from tests.pages.conftest import button, open_page, text_of


@pytest.fixture(autouse=True)
def few_strokes(monkeypatch):
    """Generate only as much handwriting as the page needs."""
    monkeypatch.setattr(strokes_cache, "SIZES", (600, 100))


def metric(app, label):
    return next(item.value for item in app.metric if item.label == label)


def choose(app, source):
    next(item for item in app.segmented_control if item.key == "data in en").set_value(source).run()
    assert not app.exception
    return app


def idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_strokes_are_shown_by_default(root):
    app = open_page("data")
    assert not app.exception
    assert metric(app, "Training images") == "600"
    assert [item.value for item in app.header] == ["Gallery", "Mean images", "Balance", "Augmentation"]


@pytest.fixture
def slow_strokes(tmp_path, monkeypatch):
    """No digits are cached, and each set is half drawn until the event is set; the calls."""
    monkeypatch.setenv("CONVNET_CACHE_DIR", str(tmp_path / "cache"))
    st.cache_resource.clear()
    generate, drawn, go_on = strokes.generate, [], threading.Event()

    def generate_slowly(count, seed, progress=None):
        if progress:
            drawn.append(count)
            progress(count // 2, count)
            assert go_on.wait(60)
        return generate(count, seed, progress=progress)

    monkeypatch.setattr(strokes, "generate", generate_slowly)
    yield drawn, go_on
    go_on.set()


def test_digits_that_are_generated_show_how_many_are_drawn(root, slow_strokes, monkeypatch):
    texts = []

    def show(_, value, text):
        texts.append(text)
        if "300 of 600" in text:
            slow_strokes[1].set()

    monkeypatch.setattr("streamlit.delta_generator.DeltaGenerator.progress", show)
    assert metric(open_page("data"), "Training images") == "600"
    assert "Drawing training digits: 300 of 600 images" in texts
    texts.clear()
    open_page("data")
    assert not texts


def test_a_page_that_is_closed_does_not_stop_the_drawing_of_digits(root, slow_strokes, monkeypatch):
    drawn, go_on = slow_strokes

    def close_page(_, value, text):
        if value:
            raise StopException

    with monkeypatch.context() as patch:
        patch.setattr("streamlit.delta_generator.DeltaGenerator.progress", close_page)
        assert not open_page("data").metric
        assert not open_page("data").metric, "another visitor sees the progress too"
    go_on.set()
    assert metric(open_page("data"), "Training images") == "600"
    assert drawn == [600, 100]


def test_augmentation_is_explained_and_shown(root):
    app = open_page("data")
    assert "No augmentation" in text_of(app)
    next(item for item in app.slider if item.key == "augment-rotation").set_value(20.0).run()
    assert not app.exception
    assert "five random distortions" in text_of(app)


def test_missing_mnist_offers_the_download(root, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVNET_DATA_DIR", str(tmp_path / "nothing"))
    app = choose(open_page("data"), "mnist")
    assert "MNIST is not in" in text_of(app)
    assert button(app, "Download MNIST, 12 MB")


def test_a_folder_of_idx_files_is_read(root, tmp_path):
    images, labels = strokes.generate(20, 0)
    for name in ("train", "t10k"):
        idx(tmp_path / f"{name}-images-idx3-ubyte", images)
        idx(tmp_path / f"{name}-labels-idx1-ubyte", labels)
    app = choose(open_page("data"), "folder")
    assert "Enter a folder" in text_of(app)
    next(item for item in app.text_input if item.key == "idx-folder").set_value(str(tmp_path)).run()
    assert not app.exception
    assert metric(app, "Test images") == "20"


def test_a_folder_without_idx_files_is_an_error(root, tmp_path):
    app = choose(open_page("data"), "folder")
    next(item for item in app.text_input if item.key == "idx-folder").set_value(str(tmp_path)).run()
    assert not app.exception
    assert "train-images-idx3-ubyte" in app.error[0].value
