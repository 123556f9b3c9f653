"""The Compare page with AppTest: empty, with a finished, a stale and an unfinished run."""

import json
import re
import shutil

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.errors import DataError
from convnet_core.events import StageStarted
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from convnet_core.jobs.overview import overview
from convnet_core.networks.ports import INPUT
from convnet_core.runtimes.specs import spec_of
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.support.links import replace_with_link


def test_without_a_run_it_offers_to_run_the_pipeline(root):
    app = open_page("compare")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_a_run_without_a_comparison_offers_the_missing_stages(root, trained_run):
    copy_of(trained_run, root)
    assert "has no compare yet" in text_of(app := open_page("compare"))
    assert button(app, "Run the missing stages")


def test_a_finished_run_shows_verdict_table_and_charts(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    assert f"All {len(RUNTIMES)} runtimes agree." in text_of(app)
    assert len(app.dataframe[0].value) == 8
    assert "out of date" not in text_of(app)


def test_the_verdict_stands_first_then_the_errors_then_the_table_then_the_settings(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    kinds = ("success", "plotly_chart", "dataframe", "select_slider", "button")
    places = [item.type for item in app.main if item.type in kinds]
    assert list(dict.fromkeys(places)) == list(kinds)
    assert places.index("dataframe") == 2


def test_each_row_of_errors_shows_its_tolerance_or_that_labels_are_judged(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    rows = {trace["name"]: trace["base"] for trace in chart["data"]}
    lines = {shape["y0"]: shape["x0"] for shape in chart["layout"]["shapes"] if shape["type"] == "line"}
    limited = {name for name, base in rows.items() if any(base - 0.1 < y < base for y in lines)}
    assert limited == {name for name in rows if spec_of(name).precision == "float32"}
    assert all(-5 < x < -1 for x in lines.values()), "1e-5 + 1e-4 × the largest output"
    notes = [note["text"] for note in chart["layout"]["annotations"]]
    assert {f"<b>{name}</b>: all within tolerance" for name in limited} <= set(notes)
    assert sum("of labels equal" in note for note in notes) == 2
    assert "litert-int8 is judged by labels, not by the error" in text_of(app)


def test_a_second_conversion_keeps_the_verdict_and_can_be_compared_too(root, finished_run, monkeypatch):
    run = copy_of(finished_run, root)
    started = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: started.append((run.name, list(arguments))))
    shutil.copytree(run.path / "convert/native", run.path / "convert/onnx-tf")
    verdict = f"{len(RUNTIMES)} runtimes agree; what onnx-tf made was not compared."
    app = open_page("compare")
    assert verdict in text_of(app)
    assert "out of date" not in text_of(app)
    assert overview(run).verdict_text == "agree; onnx-tf not compared"
    assert verdict in text_of(open_page())
    button(app, "Compare onnx-tf too").click().run()
    assert [(name, arguments[0]) for name, arguments in started] == [(run.name, "compare")]


def test_an_imported_model_is_compared_again_on_the_inputs_of_the_last_comparison(root, finished_run, monkeypatch):
    run = copy_of(finished_run, root)
    for path, changes in (
        (run.path / "run.json", {"kind": "model"}),
        (run.path / "compare/stage.json", {"result": read_json(run.path / "compare/stage.json")["result"] | INPUTS}),
    ):
        write_json(path, {**read_json(path), **changes})
    shutil.copytree(run.path / "convert/native", run.path / "convert/onnx-tf")
    started = []
    monkeypatch.setattr(watcher, "start", lambda _, arguments: started.append(list(arguments)))
    app = open_page("compare")
    button(app, "Compare onnx-tf too").click().run()
    button(app, "Compare again").click().run()
    next(toggle for toggle in app.toggle if "same files" in toggle.label).set_value(False).run()
    button(app, "Compare again").click().run()
    assert [[text for text in arguments if "=" in text] for arguments in started] == [
        [f"{INPUT}=/a.npy", f"{INPUT}=1,1,28,28", f"{INPUT}=-1.0,2.0"],
        [f"{INPUT}=-1.0,2.0", f"{INPUT}=/a.npy"],
        [f"{INPUT}=-1.0,2.0"],
    ]


INPUTS = {"inputs": {"files": {INPUT: "/a.npy"}, "shapes": {INPUT: [1, 1, 28, 28]}, "ranges": {INPUT: [-1.0, 2.0]}}}


def test_it_says_on_how_many_images_and_the_whole_test_set_can_run_at_every_batch_size(root, finished_run, monkeypatch):
    copy_of(finished_run, root)
    started = []
    monkeypatch.setattr(watcher, "start", lambda _, arguments: started.append(list(arguments)))
    app = open_page("compare")
    assert "Compared on 400 images of the test set at batch sizes 1, 2, 7 and 64." in text_of(app)
    button(app, "Compare again").click().run()
    next(toggle for toggle in app.toggle if "whole test set" in toggle.label).set_value(True).run()
    button(app, "Compare again").click().run()
    assert ["--full" in arguments for arguments in started] == [False, True]


def test_moving_a_tolerance_updates_the_verdict(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    rtol, atol = (next(slider for slider in app.select_slider if slider.label == name) for name in ("rtol", "atol"))
    rtol.set_value(1e-9)
    atol.set_value(1e-9).run()
    assert not app.exception
    assert "disagree with pytorch" in text_of(app)
    assert "✗ fail" in set(app.dataframe[0].value["Verdict"])
    assert re.search(r"\*\*tensorflow\*\*: .*beyond tolerance", text_of(app)), "the table would cut it off"
    notes = [note["text"] for note in json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["annotations"]]
    assert any(re.fullmatch(r"<b>.*</b>: ✗ [\d,]+ of [\d,]+ beyond", note) for note in notes)
    assert not any("✗" in note and "within" in note for note in notes)


def test_a_stale_comparison_lists_the_stages_to_run(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page("compare")
    text = text_of(app)
    assert "This is out of date" in text
    assert not app.success
    assert "Stages to run again: train, export, convert, compare" in text
    assert f"The last comparison, which is out of date, said: all {len(RUNTIMES)} runtimes agree" in text


@pytest.mark.slow
def test_unusual_tolerances_of_a_comparison_are_kept(root, finished_run):
    run = copy_of(finished_run, root)
    path = run.path / "compare/stage.json"
    record = read_json(path)
    record["config"]["rtol"] = 0.03
    write_json(path, record)
    app = open_page("compare")
    assert next(slider for slider in app.select_slider if slider.label == "rtol").value == 0.03


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report.html", "report.json", "measurements.npz"])
def test_a_link_is_neither_shown_nor_downloadable(root, tmp_path, finished_run, name):
    run = copy_of(finished_run, root)
    replace_with_link(run, f"compare/{name}", tmp_path)
    app = open_page("compare")
    assert f"{name} leads out of the run's folder" in text_of(app)
    assert not app.download_button
    assert bool(app.dataframe) == (name == "report.html")


@pytest.mark.slow
def test_a_failed_comparison_shows_its_reason(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(DataError), open_job(run, "pipeline") as job:
        job.emit(StageStarted(stage="compare"))
        raise DataError("the folder of digits is gone", "bring it back")
    text = text_of(open_page("compare"))
    assert "the folder of digits is gone" in text
    assert "bring it back" in text


@pytest.mark.slow
def test_a_failure_of_another_stage_is_not_shown_here(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(DataError), open_job(run, "pipeline") as job:
        job.emit(StageStarted(stage="export"))
        raise DataError("no exporter")
    assert "no exporter" not in text_of(open_page("compare"))
    assert "no exporter" in text_of(open_page("export"))


@pytest.mark.slow
def test_a_running_comparison_hides_the_old_verdict(root, finished_run):
    run = copy_of(finished_run, root)
    progress = "Progress(label='comparing litert-int8', done=3, total=7)"
    with running_job(run, "compare", "StageStarted(stage='compare')", progress):
        app = open_page("compare")
        assert button(app, "Stop")
        assert "runtimes agree" not in text_of(app)
