"""Every choice in a browser: lists, tabs and expanders, with a digit run and an uploaded network."""

import re

import onnx
import pytest

from convnet_core.events import Monitor
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.stages.import_onnx import run_import_onnx
from testing.browser import settle
from tests.conftest import copy_of
from tests.support.choices import prepare, try_every_choice_in_a_browser
from tests.support.networks import small_resnet

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(finished_run, server, tmp_path):
    prepare(copy_of(finished_run, server.runs))
    onnx.save(small_resnet(), tmp_path / "network.onnx")
    network = Run.create(server.runs / "网络", kind="model")
    run_import_onnx(network, open_file(tmp_path / "network.onnx"), Monitor())
    prepare(network)


def test_no_choice_makes_a_page_fail(server, runs, page):
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    for run, pages in (("run", ("compare", "dissect")), ("网络", ("dissect",))):
        for name in pages:
            page.goto(f"{server.address}/{name}?run={run}")
            page.get_by_role("heading", level=1, name=re.compile(name, re.IGNORECASE)).wait_for()
            page.get_by_test_id("stMain").get_by_test_id("stDataFrame").first.wait_for()
            settle(page)
            assert try_every_choice_in_a_browser(page), name
    assert not faults
    assert not server.tracebacks()
