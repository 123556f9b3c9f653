"""The page Compare with AppTest: empty, with a finished, a stale and an unfinished run."""

from tests.conftest import copy_of
from tests.pages.conftest import button, open_page, text_of


def test_without_a_run_it_says_what_to_do(root):
    app = open_page("compare")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_with_a_run_that_has_no_comparison_it_says_so(root, trained_run):
    copy_of(trained_run, root)
    assert "has no compare yet" in text_of(app := open_page("compare"))
    assert button(app, "Make what is missing")


def test_a_finished_run_shows_verdict_table_and_charts(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    assert "All runtimes agree with pytorch" in text_of(app)
    assert len(app.dataframe[0].value) == 7
    assert "stale" not in text_of(app)


def test_moving_a_tolerance_judges_again_at_once(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("compare")
    rtol, atol = (next(slider for slider in app.select_slider if slider.label == name) for name in ("rtol", "atol"))
    rtol.set_value(1e-9)
    atol.set_value(1e-9).run()
    assert not app.exception
    assert "Not all runtimes agree" in text_of(app)
    assert "beyond tolerance" in " ".join(app.dataframe[0].value["Verdict"])


def test_a_stale_comparison_says_so(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    said = text_of(open_page("compare"))
    assert "This is stale" in said
    assert "To run again: train, export, convert, compare" in said
    assert "All runtimes agree" not in said


def test_the_choice_of_a_run_holds_across_pages(root, finished_run, trained_run):
    for name, source in (("first", finished_run), ("second", trained_run)):
        copy_of(source, root).path.rename(root / name)
    app = open_page()
    app.sidebar.selectbox[0].set_value("second").run()
    app = app.switch_page("pages/compare.py").run()
    assert "The run second has no compare yet" in text_of(app)
    assert app.query_params["run"] == "second"
