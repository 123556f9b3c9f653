"""The page of all runs, and of two side by side."""

import json
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from convnet_core.errors import DataError
from convnet_core.jobs.job import open_job
from convnet_core.runs import names
from convnet_core.runs.run import Run
from pages.components.run_table import run_table
from tests.conftest import ROOT, copy_of
from tests.pages.conftest import button, open_page, text_of


@pytest.fixture
def two_runs(root, trained_run):
    run = copy_of(trained_run, root)
    other = Run.open(shutil.copytree(run.path, root / "other"))
    names.rename_run(other, "the *other* one")
    names.write_notes(other, "for Monday")
    return run, other


def rows(app):
    """The rows of the list of runs, by folder."""
    (content,) = [json.loads(item.proto.json) for item in app.get("bidi_component") if "rows" in item.proto.json]
    return {row["name"]: row for row in content["rows"]}


def click(monkeypatch, opened=None, chosen=()):
    """Have the list say that a row was clicked or that boxes are ticked."""
    monkeypatch.setattr(run_table, "show", lambda *_: (opened, list(chosen)))


def test_the_list_shows_each_run_with_its_name_and_notes(root, two_runs):
    shown = rows(open_page("runs"))
    assert shown["other"]["title"] == "the *other* one"
    assert shown["other"]["notes"] == "for Monday"
    assert [name for name, row in shown.items() if row["current"]] == [max(shown)]


def test_the_list_says_what_failed(root):
    run = Run.create(root / "run")
    with pytest.raises(DataError), open_job(run, "train"):
        raise DataError("label 12 at position 3")
    assert rows(open_page("runs"))["run"]["cells"][0] == "train failed"


def test_a_click_on_a_row_opens_its_run_on_home(root, two_runs, monkeypatch):
    monkeypatch.setattr("pages.components.live_pad.pad.show", lambda *_, **__: None)
    click(monkeypatch, opened="other")
    app = open_page("runs")
    assert app.session_state["run"] == app.query_params["run"] == "other"
    assert app.title[0].value.startswith("PyTorch")


def test_two_chosen_runs_stand_side_by_side_and_in_the_address(root, two_runs, monkeypatch):
    click(monkeypatch, chosen=[two_runs[0].name, "other"])
    app = open_page("runs")
    button(app, "Side by side").click().run()
    assert not app.exception
    assert app.query_params["run"] == two_runs[0].name
    assert app.query_params["with"] == "other"
    assert "**B** is the \\*other\\* one" in text_of(app)
    assert "None: both runs have the same settings" in text_of(app)
    app.selectbox(key="with").set_value(None).run()
    assert not app.exception
    assert "with" not in app.query_params
    assert "**B**" not in text_of(app)


def test_a_link_opens_two_runs_of_any_kind(root, two_runs):
    Run.create(root / "model", kind="model")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["run"], app.query_params["with"] = "model", "other"
    app.switch_page("pages/runs.py").run()
    assert not app.exception
    assert "**A** is model, **B** is the \\*other\\* one" in text_of(app)
    assert "A: not made yet: export, convert/native, compare, benchmark" in text_of(app)


def test_chosen_runs_can_be_deleted(root, two_runs, monkeypatch):
    click(monkeypatch, chosen=[run.name for run in two_runs])
    app = open_page("runs")
    button(app, "Delete 2 runs").click().run()
    assert not app.exception
    assert not [path for path in root.iterdir() if not path.name.startswith(".")]
