"""The name of a run: where it is shown, and changed."""

from convnet_core.common.files import read_json
from convnet_core.runs import names
from convnet_core.runs.run import Run
from tests.conftest import copy_of
from tests.pages.conftest import open_page, text_of


def test_a_run_is_renamed_beside_its_picker_and_gets_notes(root, trained_run):
    run = copy_of(trained_run, root)
    app = open_page("train")
    before = {stage: run.state(stage) for stage in run.stages}
    app.sidebar.text_input[0].set_value(" slow *one* ").run()
    assert not app.exception
    assert app.sidebar.selectbox[0].options == ["slow *one*"]
    app.sidebar.text_area[0].set_value("for **Monday**").run()
    assert not app.exception
    assert "for \\*\\*Monday" in text_of(app)
    assert app.session_state["run"] == app.query_params["run"] == run.name, "its folder keeps its name"
    assert {stage: run.state(stage) for stage in run.stages} == before
    app.sidebar.text_input[0].set_value("").run()
    assert names.given_title(run) == ""


def test_a_name_from_the_command_line_is_shown_and_not_undone(root):
    run = Run.create(root / "run")
    app = open_page("data")
    names.rename_run(run, "theirs")
    app.run()
    assert app.sidebar.selectbox[0].options == [app.sidebar.text_input[0].value] == ["theirs"]
    assert read_json(run.path / "run.json")["title"] == "theirs"


def test_a_run_that_gets_another_name_stays_chosen(root):
    for folder in ("a", "b"):
        Run.create(root / folder)
    app = open_page("data")
    other = next(name for name in ("a", "b") if name != app.query_params["run"][0])
    app.sidebar.selectbox[0].set_value(other).run()
    names.rename_run(Run.open(root / other), "theirs")
    app.sidebar.selectbox[0].options.append("the name before")
    app.sidebar.selectbox[0].set_value("the name before").run()  # as the browser sends it
    assert app.session_state["run"] == other
    assert app.sidebar.text_input[0].value == "theirs"


def test_runs_of_one_name_are_told_apart_in_the_picker(root):
    for folder in ("a", "b"):
        names.rename_run(Run.create(root / folder), "demo")
    first, second = open_page("data").sidebar.selectbox[0].options
    assert first != second
    assert first.startswith("demo ")


def test_a_long_name_is_whole_everywhere(root, trained_run):
    run = copy_of(trained_run, root)
    names.rename_run(run, "n" * 100)
    app = open_page("export")
    assert "n" * 100 in text_of(app)
    assert app.sidebar.caption[0].value == "n" * 100, "below the picker, which cuts it"
