"""The Sketchpad page with AppTest: answers, saved drawings, failures and stale runs."""

import threading
import time

import numpy as np
import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.errors import DataError
from convnet_core.jobs.job import open_job
from convnet_core.runs import drawings
from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.pool import Answer, RuntimePool
from pages.components.live_pad import pad
from pages.components.live_pad.view import bars
from testing.drawings import strokes
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.pages.mouse import draw, open_sketchpad, wait_for_runtimes
from tests.support import reader_tasks
from tests.support.links import replace_with_link


def test_without_a_run_it_offers_to_run_the_pipeline(root):
    app = open_page("sketchpad")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_a_blank_pad_asks_for_a_drawing(root, finished_run):
    copy_of(finished_run, root)
    app = open_sketchpad()
    assert "One digit, from 0 to 9" in text_of(app)
    assert "runtimes read" not in text_of(app)


def test_a_drawing_is_read_by_all_runtimes(root, finished_run):
    copy_of(finished_run, root)
    app = open_sketchpad(7)
    text = text_of(app)
    assert f"All {len(RUNTIMES)} runtimes read 7" in text
    assert "One digit, from 0 to 9" not in text
    for name in RUNTIMES:
        assert f"{name}: 7" in text
    assert "Largest difference in probability" in text
    assert "Largest |Δlogit|" in text
    assert "The 16 feature maps of 28 × 28" in text


@pytest.mark.slow
def test_ready_runtimes_answer_while_others_load(root, finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "open_runtime", reader_tasks.open_pytorch_late)
    run = copy_of(finished_run, root)
    app = draw(open_page("sketchpad"), strokes(7))
    try:
        end = time.monotonic() + 60
        ready = f"{len(RUNTIMES) - 3} of {len(RUNTIMES)} runtimes are ready and read 7"
        while ready not in text_of(app.run()):
            assert time.monotonic() < end
        text = text_of(app)
        assert f"Runtimes that are ready: {len(RUNTIMES) - 3} of {len(RUNTIMES)}" in text
        assert "All " not in text
    finally:
        (run.path / "go on").touch()
    assert f"All {len(RUNTIMES)} runtimes read 7" in text_of(wait_for_runtimes(app))


def test_doubt_is_shown_in_place_of_the_digit(root, finished_run, monkeypatch):
    copy_of(finished_run, root)
    monkeypatch.setattr(RuntimePool, "doubt", lambda _, images: np.ones(len(images), np.float32))
    text = text_of(open_sketchpad(7))
    assert "Not sure This does not look like one digit. The nearest one is 7." in text
    assert "runtimes read 7" not in text


def test_the_page_says_that_doubt_is_still_learned_or_that_it_failed(root, finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "learn_doubt", reader_tasks.learn_late)
    run = copy_of(finished_run, root)
    app = draw(open_page("sketchpad"), strokes(7))
    (pool,) = (thread for thread in threading.enumerate() if thread.name == f"reader of {run.name}")
    try:
        end = time.monotonic() + 60
        while "Learning what is no digit" not in text_of(app.run()):
            assert time.monotonic() < end
        assert f"All {len(RUNTIMES)} runtimes read 7" in text_of(app)
        assert pool.is_alive()  # so the page runs again by itself
    finally:
        (run.path / "go on").touch()
    text = text_of(wait_for_runtimes(app))
    assert "Learning what is no digit" not in text
    assert "learning what is none failed: IndexError" in text


def test_a_pool_without_any_runtime_says_why(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "convert/native/frozen.pb").unlink()
    text = text_of(open_sketchpad(7))
    assert "No runtime works" in text
    assert "frozen.pb is missing" in text
    assert "loading" not in text


ANSWERS = {name: Answer(np.zeros((1, 10), np.float32), np.eye(10)[[digit]]) for name, digit in (("a", 1), ("b", 7))}


def test_the_bar_of_the_digit_that_is_shown_is_marked():
    assert [bar["best"] for bar in bars(ANSWERS, 7)] == [digit == 7 for digit in range(10)]
    assert not any(bar["best"] for bar in bars({}, None))


@pytest.mark.parametrize(
    "message",
    [
        {"number": float("nan"), "down": False, "strokes": []},
        {"number": None, "down": False, "strokes": []},
        {"number": float("inf"), "down": False, "strokes": []},
        {"number": 1, "down": False, "strokes": 3},
        {},
        [],
        None,
    ],
)
def test_a_message_that_is_no_drawing_is_an_error_on_the_pad(message):
    sketch, down = pad.sketch_of(message)
    assert "cannot be read" in str(sketch.error)
    assert not down


@pytest.mark.slow
def test_differing_runtimes_are_named(root, finished_run, monkeypatch):
    copy_of(finished_run, root)
    app = open_sketchpad(7)
    monkeypatch.setattr(pool_worker, "read", reader_tasks.read_with_negated_logits)
    app.run()
    text = text_of(app)
    assert "The runtimes differ" in text
    assert "All " not in text
    assert "onnxruntime" in text.split("Largest |Δlogit|")[1]


def test_an_unloadable_runtime_is_named_and_the_others_answer(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"no model")
    text = text_of(open_sketchpad(7))
    assert "litert-int8 does not answer" in text
    assert f"The {len(RUNTIMES) - 1} working runtimes read 7" in text


def test_a_saved_drawing_becomes_a_test_case_of_the_run(root, finished_run):
    run = copy_of(finished_run, root)
    app = open_sketchpad(7)
    assert "None yet" in text_of(app)
    assert app.pills[0].value == 7
    button(app, "Save as a test case").click().run()
    assert not app.exception
    assert [case.label for case in drawings.list_drawings(run)] == [7]
    text = text_of(app)
    assert "The next comparison includes these drawings" in text
    assert button(app, "Compare with these drawings")
    assert all(f"{name}: 1 of 1" in text for name in RUNTIMES)
    button(app, "Remove").click().run()
    assert drawings.list_drawings(run) == []
    assert "None yet" in text_of(app)


@pytest.mark.slow
def test_a_drawing_can_be_saved_under_its_true_digit(root, finished_run):
    run = copy_of(finished_run, root)
    app = open_sketchpad(7)
    app.pills[0].set_value(1).run()
    button(app, "Save as a test case").click().run()
    assert [case.label for case in drawings.list_drawings(run)] == [1]
    assert "a 1, read as 7 by all" in text_of(app)
    assert all(f"{name}: 0 of 1" in text_of(app) for name in RUNTIMES)


@pytest.mark.slow
def test_a_damaged_test_case_is_named(root, finished_run, digits):
    run = copy_of(finished_run, root)
    case = drawings.save(run, digits[2], 2)
    drawings.save(run, digits[3], 3)
    (run.path / case.file).write_bytes(b"no picture")
    app = open_sketchpad()
    assert case.id in text_of(app)
    assert "1 of 1" in text_of(app)


@pytest.mark.slow
def test_a_drawing_that_is_a_link_is_not_shown(root, tmp_path, finished_run, digits):
    run = copy_of(finished_run, root)
    case = drawings.save(run, digits[2], 2)
    assert open_sketchpad().get("image")
    replace_with_link(run, case.file, tmp_path)
    app = open_sketchpad()
    assert f"{case.id}.png leads out of the run's folder" in text_of(app)
    assert not app.get("image")


@pytest.mark.slow
def test_an_unconverted_run_uses_the_runtimes_of_its_export(root, finished_run):
    run = copy_of(finished_run, root)
    run.discard("convert/native")
    app = open_sketchpad(7)
    assert "has not been converted" in text_of(app)
    assert button(app, "Run the missing stages")
    assert f"All {len(RUNTIMES) - 5} runtimes read 7" in text_of(app)


@pytest.mark.slow
def test_a_stale_run_is_marked_as_out_of_date(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    text = text_of(open_sketchpad())
    assert "This is out of date" in text
    assert "Draw a digit" in text


@pytest.mark.slow
def test_a_damaged_record_is_explained(root, finished_run, digits):
    run = copy_of(finished_run, root)
    drawings.save(run, digits[3], 3)
    for stage in ("convert/native", "compare"):
        (run.path / stage / "stage.json").write_text("{")
    assert "stage.json is damaged" in text_of(open_sketchpad(7))


@pytest.mark.slow
def test_no_new_comparison_is_offered_if_it_already_includes_the_drawings(root, finished_run, digits):
    run = copy_of(finished_run, root)
    case = drawings.save(run, digits[3], 3)
    path = run.path / "compare/stage.json"
    record = read_json(path)
    write_json(path, {**record, "inputs": {**record["inputs"], case.file: "0"}})
    app = open_sketchpad()
    assert "The comparison includes these drawings" in text_of(app)
    assert "Compare with these drawings" not in [item.label for item in app.button]


@pytest.mark.slow
def test_a_failed_conversion_is_explained(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(DataError), open_job(run, "convert"):
        raise DataError("no room on the disk", "free some space")
    text = text_of(open_sketchpad())
    assert "no room on the disk" in text
    assert "free some space" in text


@pytest.mark.slow
def test_the_pad_works_while_a_job_runs(root, finished_run, digits):
    run = copy_of(finished_run, root)
    drawings.save(run, digits[3], 3)
    with running_job(run, "train", "StageStarted(stage='train')"):
        app = open_sketchpad(7)
        assert f"All {len(RUNTIMES)} runtimes read 7" in text_of(app)
        assert button(app, "Compare with these drawings").disabled
