"""The page of all runs."""

from tests.conftest import copy_of
from tests.pages.conftest import button, open_page


def test_a_run_can_be_deleted(root, trained_run):
    run = copy_of(trained_run, root)
    app = open_page("runs")
    button(app, "Delete the run").click().run()
    assert not app.exception
    assert not run.path.exists()
