import json

import numpy as np
import pytest
from PIL import Image

from convnet_core.common.files import digest, read_json
from convnet_core.config.stages import CompareConfig
from convnet_core.data.drawing import prepare
from convnet_core.errors import DataError
from convnet_core.events import Monitor
from convnet_core.runs import drawings as cases
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from testing.drawings import drawings
from tests.conftest import convnet, copy_of


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


@pytest.fixture(scope="module")
def digits():
    """Drawings of the digits 0 to 9, float32 [280, 280] in [0, 1] each."""
    return [image.astype(np.float32) / 255 for image in drawings(10, seed=3)[0]]


def test_saved_drawings_are_listed_and_loaded_by_digit(run, digits):
    assert cases.list_drawings(run) == []
    for digit in (7, 3):
        cases.save(run, digits[digit], digit)
    listed = cases.list_drawings(run)
    assert [case.label for case in listed] == [3, 7]
    images, labels = cases.load_images(run, listed)
    assert labels.tolist() == [3, 7]
    assert (images.shape, images.dtype) == ((2, 1, 28, 28), np.float32)
    for image, digit in zip(images[:, 0], (3, 7), strict=True):
        np.testing.assert_array_equal(image, prepare(digits[digit]))


def test_no_drawings_load_as_empty_arrays(run):
    images, labels = cases.load_images(run, [])
    assert (images.shape, labels.shape) == ((0, 1, 28, 28), (0,))


def test_saving_a_drawing_again_keeps_one_case_with_the_new_digit(run, digits):
    first = cases.save(run, digits[1], 7)
    assert cases.save(run, digits[1], 7) == first
    corrected = cases.save(run, digits[1], 1)
    assert cases.list_drawings(run) == [corrected]
    assert (corrected.id, corrected.label) == (first.id, 1)


def test_delete_removes_one_drawing(run, digits):
    saved = [cases.save(run, digits[digit], digit) for digit in (4, 5)]
    cases.delete(run, saved[0])
    cases.delete(run, saved[0])
    assert cases.list_drawings(run) == [saved[1]]


def test_files_that_are_not_drawings_are_ignored(run, digits):
    case = cases.save(run, digits[2], 2)
    folder = run.path / "drawings"
    (folder / ".2-0123456789ab.png.1a2b3c4d").write_bytes(b"cut off")
    (folder / "notes.txt").write_text("mine")
    assert cases.list_drawings(run) == [case]


def test_a_blank_drawing_and_an_invalid_digit_are_refused_and_not_saved(run, digits):
    with pytest.raises(DataError, match="no ink"):
        cases.save(run, np.ones((280, 280), np.float32), 3)
    with pytest.raises(DataError, match="12 is not a digit"):
        cases.save(run, digits[0], 12)
    assert cases.list_drawings(run) == []


def test_a_damaged_drawing_is_named(run, digits):
    case = cases.save(run, digits[2], 2)
    (run.path / case.file).write_bytes(b"no picture")
    with pytest.raises(DataError, match=case.id):
        cases.load_images(run, [case])


def test_the_next_comparison_includes_the_drawings(finished_run, tmp_path, digits):
    run = copy_of(finished_run, tmp_path)
    assert cases.compared_exactly(run.require("compare"), [])
    config = CompareConfig.from_json(run.require("compare").config).replace(batch_sizes=(64,), samples=10)
    wrong = cases.save(run, digits[1], 8)  # a wrong label lowers every accuracy but fails no runtime
    assert not cases.compared_exactly(run.require("compare"), [wrong])
    assert run.state("compare").state == "fresh"
    comparison = run_compare(run, config, Monitor())
    assert comparison.agree
    lines = [line for line in read_json(run.path / "compare/report.json")["results"] if line["inputs"] == "drawings"]
    assert len(lines) == 8
    assert {line["accuracy"] for line in lines} == {0.0}
    assert {line["samples"] for line in lines} == {1}
    assert {line["runtime"] for line in lines if not line["judged"]} == {"litert-fp16", "litert-int8"}
    assert run.require("compare").inputs[wrong.file] == digest(run.path / wrong.file)
    assert cases.compared_exactly(run.require("compare"), [wrong])
    assert not cases.compared_exactly(run.require("compare"), [])


def test_predict_saves_drawings_and_feature_maps(finished_run, tmp_path, digits):
    run = copy_of(finished_run, tmp_path)
    picture = tmp_path / "seven.png"
    Image.fromarray(np.rint(digits[7] * 255).astype(np.uint8)).save(picture)
    maps = tmp_path / "maps.png"
    flags = ("--keep", 7, "--feature-maps", maps, "--run", run.path, "--json")
    answer = json.loads(convnet("predict", picture, *flags).stdout)[0]
    assert [case.file for case in cases.list_drawings(run)] == [answer["kept"]]
    with Image.open(maps) as picture:
        assert picture.size == (8 * 86 - 2, 2 * 86 - 2)
    error = convnet("predict", picture, "--keep", 12, "--run", run.path, check=2).stderr
    assert "12" in error
