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
def drawn():
    """Drawings of 0 to 9, float32 [280, 280] in [0, 1]."""
    return [image.astype(np.float32) / 255 for image in drawings(10, seed=3)[0]]


def test_what_is_kept_is_listed_and_loaded_by_digit(run, drawn):
    assert cases.list_drawings(run) == []
    for digit in (7, 3):
        cases.save(run, drawn[digit], digit)
    found = cases.list_drawings(run)
    assert [case.label for case in found] == [3, 7]
    images, labels = cases.load_images(run, found)
    assert labels.tolist() == [3, 7]
    assert (images.shape, images.dtype) == ((2, 1, 28, 28), np.float32)
    for image, digit in zip(images[:, 0], (3, 7), strict=True):
        np.testing.assert_array_equal(image, prepare(drawn[digit]))


def test_nothing_kept_loads_as_nothing(run):
    images, labels = cases.load_images(run, [])
    assert (images.shape, labels.shape) == ((0, 1, 28, 28), (0,))


def test_a_drawing_kept_twice_is_one_case_and_another_digit_corrects_it(run, drawn):
    first = cases.save(run, drawn[1], 7)
    assert cases.save(run, drawn[1], 7) == first
    corrected = cases.save(run, drawn[1], 1)
    assert cases.list_drawings(run) == [corrected]
    assert (corrected.id, corrected.label) == (first.id, 1)


def test_removing(run, drawn):
    kept = [cases.save(run, drawn[digit], digit) for digit in (4, 5)]
    cases.delete(run, kept[0])
    cases.delete(run, kept[0])
    assert cases.list_drawings(run) == [kept[1]]


def test_what_is_no_case_is_passed_over(run, drawn):
    case = cases.save(run, drawn[2], 2)
    folder = run.path / "drawings"
    (folder / ".2-0123456789ab.png.1a2b3c4d").write_bytes(b"cut off")
    (folder / "notes.txt").write_text("mine")
    assert cases.list_drawings(run) == [case]


def test_a_blank_drawing_and_a_wrong_digit_are_refused_and_leave_nothing(run, drawn):
    with pytest.raises(DataError, match="no ink"):
        cases.save(run, np.ones((280, 280), np.float32), 3)
    with pytest.raises(DataError, match="12 is not a digit"):
        cases.save(run, drawn[0], 12)
    assert cases.list_drawings(run) == []


def test_a_damaged_case_is_named(run, drawn):
    case = cases.save(run, drawn[2], 2)
    (run.path / case.file).write_bytes(b"no picture")
    with pytest.raises(DataError, match=case.id):
        cases.load_images(run, [case])


def test_the_next_comparison_includes_them(finished_run, tmp_path, drawn):
    run = copy_of(finished_run, tmp_path)
    assert cases.compared_exactly(run.require("compare"), [])
    config = CompareConfig.from_json(run.require("compare").config).replace(batch_sizes=(64,), samples=10)
    wrong = cases.save(run, drawn[1], 8)  # a wrong label: every runtime's accuracy says so, and none fails for it
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


def test_predict_keeps_images_and_draws_feature_maps(finished_run, tmp_path, drawn):
    run = copy_of(finished_run, tmp_path)
    picture = tmp_path / "seven.png"
    Image.fromarray(np.rint(drawn[7] * 255).astype(np.uint8)).save(picture)
    maps = tmp_path / "maps.png"
    flags = ("--keep", 7, "--feature-maps", maps, "--run", run.path, "--json")
    answer = json.loads(convnet("predict", picture, *flags).stdout)[0]
    assert [case.file for case in cases.list_drawings(run)] == [answer["kept"]]
    assert Image.open(maps).size == (8 * 86 - 2, 2 * 86 - 2)
    said = convnet("predict", picture, "--keep", 12, "--run", run.path, check=2).stderr
    assert "12" in said
