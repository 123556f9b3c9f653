"""The list of runs in a browser: a row opens its run, two boxes lay runs side by side."""

import shutil

from convnet_core.runs import names
from convnet_core.runs.run import Run

LONG = "A name of a hundred characters that somebody wrote because they had to say it all at once: learning"


def test_rows_open_runs_and_boxes_lay_two_side_by_side(server, trained_run, page):
    for folder in ("one", "two"):
        shutil.copytree(trained_run.path, server.runs / folder)
    names.rename_run(Run.open(server.runs / "two"), LONG)
    page.goto(f"{server.address}/runs")
    page.get_by_role("row", name="one").get_by_role("cell").last.click()
    page.wait_for_url("**/?run=one")
    page.get_by_role("heading", name="PyTorch → TensorFlow").wait_for()
    assert page.title() == "Home · one – ConvNet"
    page.goto(f"{server.address}/runs?run=one")
    page.get_by_role("checkbox", name="Choose one").check()
    page.get_by_role("checkbox", name=f"Choose {LONG[:20]}").check()
    page.get_by_role("button", name="Side by side").click()
    page.wait_for_url("**/runs?run=*with=*")
    page.get_by_text("Settings that differ").wait_for()
    page.reload()
    page.get_by_text("Settings that differ").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name=LONG[:20]).press("Enter")
    page.wait_for_url("**/?run=two")
