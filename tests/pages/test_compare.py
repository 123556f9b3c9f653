"""The Compare page with AppTest: empty, with a finished, a stale and an unfinished run."""

import re

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.errors import DataError
from convnet_core.events import StageStarted
from convnet_core.jobs.job import open_job
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
    assert f"{len(RUNTIMES)} runtimes agree." in text_of(app)
    assert len(app.dataframe[0].value) == 8
    assert "out of date" not in text_of(app)


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


def test_a_stale_comparison_lists_the_stages_to_run(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    text = text_of(open_page("compare"))
    assert "This is out of date" in text
    assert "Stages to run again: train, export, convert, compare" in text
    assert "runtimes agree" not in text


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
