"""The page Sketchpad with AppTest: who answers, what is kept, what is stale."""

import time

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.errors import DataError
from convnet_core.jobs.job import open_job
from convnet_core.runs import drawings
from convnet_core.runtimes import pool_worker
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import at_work, button, open_page, text_of
from tests.pages.mouse import opened, warm
from tests.support import reader_tasks
from tests.support.links import moved_out


def test_without_a_run_it_says_what_to_do(root):
    app = open_page("sketchpad")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_a_blank_pad_says_draw_something(root, finished_run):
    copy_of(finished_run, root)
    app = opened()
    assert "Draw something" in text_of(app)
    assert f"{len(RUNTIMES)} runtimes are ready" in text_of(app)
    assert "runtimes read" not in text_of(app)
    assert button(app, "Undo").disabled
    assert button(app, "Clear").disabled


def test_a_drawing_is_read_by_all_runtimes(root, mouse, finished_run, drawn):
    copy_of(finished_run, root)
    mouse.draws(drawn[7])
    app = opened()
    said = text_of(app)
    assert "All runtimes read 7" in said
    assert "Draw something" not in said
    for name in RUNTIMES:
        assert f"{name}: 7" in said
    assert "Largest difference in probability" in said
    assert "Largest |Δlogit|" in said
    assert "The 16 feature maps of 28 × 28" in said


@pytest.mark.slow
def test_what_is_ready_answers_while_the_rest_loads(root, mouse, finished_run, drawn, monkeypatch):
    monkeypatch.setattr(pool_worker, "open_runtime", reader_tasks.open_pytorch_late)
    run = copy_of(finished_run, root)
    mouse.draws(drawn[7])
    app = open_page("sketchpad")
    try:
        end = time.monotonic() + 60
        while "Loading: pytorch, tensorflow, tensorflow-frozen." not in text_of(app.run()):
            assert time.monotonic() < end
        said = text_of(app)
        assert f"{len(RUNTIMES) - 3} of {len(RUNTIMES)} runtimes are ready and read 7" in said
        assert "All runtimes" not in said
    finally:
        (run.path / "go on").touch()
    assert "All runtimes read 7" in text_of(warm(app))


@pytest.mark.slow
def test_runtimes_that_differ_are_named(root, mouse, finished_run, drawn, monkeypatch):
    copy_of(finished_run, root)
    mouse.draws(drawn[7])
    app = opened()
    monkeypatch.setattr(pool_worker, "read", reader_tasks.read_with_a_turned_answer)
    app.run()
    said = text_of(app)
    assert "The runtimes differ" in said
    assert "All runtimes" not in said
    assert "onnxruntime" in said.split("Largest |Δlogit|")[1]


def test_a_runtime_that_cannot_be_loaded_is_named_and_the_others_answer(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"no model")
    mouse.draws(drawn[7])
    said = text_of(opened())
    assert "litert-int8 does not answer" in said
    assert f"The {len(RUNTIMES) - 1} working runtimes read 7" in said


def test_a_kept_drawing_becomes_a_test_case_of_the_run(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    mouse.draws(drawn[7])
    app = opened()
    assert "None yet" in text_of(app)
    assert app.button_group[0].value == 7
    button(app, "Save as a test case").click().run()
    assert not app.exception
    assert [case.label for case in drawings.list_drawings(run)] == [7]
    said = text_of(app)
    assert "The next comparison includes these drawings" in said
    assert button(app, "Compare with these drawings")
    assert all(f"{name}: 1 of 1" in said for name in RUNTIMES)
    button(app, "Remove").click().run()
    assert drawings.list_drawings(run) == []
    assert "None yet" in text_of(app)


@pytest.mark.slow
def test_a_drawing_can_be_kept_as_what_it_is_rather_than_what_was_read(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    mouse.draws(drawn[7])
    app = opened()
    app.button_group[0].set_value(1).run()
    button(app, "Save as a test case").click().run()
    assert [case.label for case in drawings.list_drawings(run)] == [1]
    assert "a 1, read as 7 by all" in text_of(app)
    assert all(f"{name}: 0 of 1" in text_of(app) for name in RUNTIMES)


@pytest.mark.slow
def test_a_damaged_test_case_is_named(root, finished_run, drawn):
    run = copy_of(finished_run, root)
    case = drawings.save(run, drawn[2], 2)
    drawings.save(run, drawn[3], 3)
    (run.path / case.file).write_bytes(b"no picture")
    app = opened()
    assert case.id in text_of(app)
    assert "1 of 1" in text_of(app)


@pytest.mark.slow
def test_a_drawing_that_is_a_link_is_not_shown(root, tmp_path, finished_run, drawn):
    run = copy_of(finished_run, root)
    case = drawings.save(run, drawn[2], 2)
    assert opened().get("image")
    moved_out(run, case.file, tmp_path)
    app = opened()
    assert f"{case.id}.png leads out of the run's folder" in text_of(app)
    assert not app.get("image")


@pytest.mark.slow
def test_a_run_that_is_not_converted_is_read_by_those_of_its_export(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    run.discard("convert/native")
    mouse.draws(drawn[7])
    app = opened()
    assert "has not been converted" in text_of(app)
    assert button(app, "Run the missing stages")
    assert "All runtimes read 7" in text_of(app)
    assert f"{len(RUNTIMES) - 5} runtimes are ready" in text_of(app)


@pytest.mark.slow
def test_a_stale_run_says_so(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    said = text_of(opened())
    assert "This is out of date" in said
    assert "Draw something" in said


@pytest.mark.slow
def test_a_damaged_record_is_explained(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    drawings.save(run, drawn[3], 3)
    for stage in ("convert/native", "compare"):
        (run.path / stage / "stage.json").write_text("{")
    mouse.draws(drawn[7])
    assert "stage.json is damaged" in text_of(opened())


@pytest.mark.slow
def test_the_comparison_that_includes_the_drawings_is_not_offered_again(root, finished_run, drawn):
    run = copy_of(finished_run, root)
    case = drawings.save(run, drawn[3], 3)
    path = run.path / "compare/stage.json"
    record = read_json(path)
    write_json(path, {**record, "inputs": {**record["inputs"], case.file: "0"}})
    app = opened()
    assert "The comparison includes these drawings" in text_of(app)
    assert "Compare with these drawings" not in [item.label for item in app.button]


@pytest.mark.slow
def test_a_failed_conversion_is_explained(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(DataError), open_job(run, "convert"):
        raise DataError("no room on the disk", "free some space")
    said = text_of(opened())
    assert "no room on the disk" in said
    assert "free some space" in said


@pytest.mark.slow
def test_while_a_job_is_at_work_the_pad_is_there(root, mouse, finished_run, drawn):
    run = copy_of(finished_run, root)
    drawings.save(run, drawn[3], 3)
    mouse.draws(drawn[7])
    with at_work(run, "train", "StageStarted(stage='train')"):
        app = opened()
        assert "All runtimes read 7" in text_of(app)
        assert button(app, "Compare with these drawings").disabled
