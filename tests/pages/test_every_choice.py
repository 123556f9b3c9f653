"""No choice of any selector makes a page fail, with a digit run and with an uploaded network."""

import onnx
import pytest

from convnet_core.data import strokes_cache
from convnet_core.events import Monitor
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.stages.import_onnx import run_import_onnx
from testing.browser import PAGES
from tests.conftest import copy_of
from tests.pages.conftest import open_page
from tests.support.choices import accept_displayed_options, prepare, try_every_choice
from tests.support.networks import small_resnet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digit_runs(finished_run, tmp_path_factory):
    """A runs folder with a digit run; the pages only read it."""
    return prepare(copy_of(finished_run, tmp_path_factory.mktemp("digits"))).path.parent


@pytest.fixture(scope="module")
def network_runs(tmp_path_factory):
    """A runs folder with an uploaded network."""
    folder = tmp_path_factory.mktemp("network")
    onnx.save(small_resnet(), folder / "network.onnx")
    run = Run.create(folder / "small-resnet", kind="model")
    run_import_onnx(run, open_file(folder / "network.onnx"), Monitor())
    return prepare(run).path.parent


def try_page(name, folder, monkeypatch):
    accept_displayed_options(monkeypatch)
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(folder))
    monkeypatch.setenv("CONVNET_DATA_DIR", str(folder / "no MNIST"))
    if name in ("data", "train"):
        monkeypatch.setattr(strokes_cache, "SIZES", (600, 100))
    return try_every_choice(open_page(name))


MIN_CHOICES = {"data": 8, "train": 40, "export": 4, "convert": 4, "compare": 12, "dissect": 15, "benchmark": 6}
"""Each page has at least this many choices; fewer would mean that the test missed some."""


def test_only_home_the_list_and_the_sketchpad_have_no_selectors():
    assert {*MIN_CHOICES, "home", "runs", "sketchpad"} == set(PAGES)


@pytest.mark.parametrize("name", MIN_CHOICES)
def test_no_choice_makes_a_page_of_digits_fail(digit_runs, name, monkeypatch):
    assert try_page(name, digit_runs, monkeypatch) >= MIN_CHOICES[name]


@pytest.mark.parametrize("name", ["export", "convert", "compare", "dissect", "benchmark"])
def test_no_choice_makes_a_page_of_an_uploaded_network_fail(network_runs, name, monkeypatch):
    assert try_page(name, network_runs, monkeypatch)
