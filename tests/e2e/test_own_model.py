"""An imported model in the browser: one upload leads to the verdict."""

import onnx
import pytest

from convnet_core.runs.library import list_runs
from testing.browser import menu_link, settle
from tests.jobs.test_upload import model

pytestmark = pytest.mark.slow


def upload(page, name, content):
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def test_a_refused_file_shows_a_reason_and_the_next_upload_is_compared(server, page):
    page.goto(server.address)
    settle(page)
    upload(page, "../<b>text</b>.onnx", b"no model at all\n" * 20)
    page.get_by_text("is a text file").wait_for()
    assert not list_runs(server.runs)
    menu_link(page, "Data").click()
    page.get_by_role("heading", name="Data", exact=True).wait_for()
    menu_link(page, "Home").click()
    page.get_by_text("This machine").wait_for()
    settle(page)
    assert not page.get_by_text("is a text file").count(), "leaving the page clears the message"
    upload(page, "mine.onnx", model().SerializeToString())
    page.get_by_text("were not judged (no labels).").wait_for(timeout=120_000)
    (run,) = list_runs(server.runs)
    assert run.name.endswith("-mine")
    assert not (run.path / "upload").exists()
    assert onnx.load(run.path / "export/model.onnx").graph.node[0].op_type == "Relu"
    menu_link(page, "Compare").click()
    page.get_by_role("heading", name="Every output").wait_for()
    assert not page.get_by_test_id("stException").count()
