"""The view of a graph in a browser: search, folds, the panel, the keyboard, and two views that follow each other."""

import shutil

import pytest
from playwright.sync_api import expect

from convnet_core.config.stages import DissectConfig
from convnet_core.events import Monitor
from convnet_core.stages.dissect import run_dissect
from testing.browser import click_node, settle
from tests.conftest import copy_of

STATE = """canvas => {
    const {state, scene} = canvas.graph;
    const names = scene.shapes.map(shape => shape.open ? `(${shape.title})` : shape.title);
    return {found: [...state.found.keys()], marked: [...state.marked], at: state.at, names};
}"""


def state(page, graph=0):
    return page.locator("canvas.view[data-drawn]").nth(graph).evaluate(STATE)


def place(page, name):
    """Where a fold's title is on the screen."""
    return page.locator("canvas.view").evaluate("(canvas, name) => canvas.graph.pointOf(name)", name)


@pytest.fixture
def graph_page(server, finished_run, page):
    copy_of(finished_run, server.runs)
    page.goto(f"{server.address}/export")
    page.locator("canvas.view[data-drawn]").wait_for()
    settle(page)
    return page


def test_a_graph_is_searched_folded_and_read(graph_page):
    page = graph_page
    search = page.get_by_role("searchbox")
    search.fill("relu")
    assert state(page)["found"] == ["node_relu"]
    search.fill("fc.weight")
    assert state(page)["found"] == ["node_linear"], "the node that reads the tensor, and no other"
    search.press("Enter")
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("Gemm-13")
    expect(panel).to_contain_text("125,440 values")
    assert "node=node_linear" in page.url
    search.fill("")
    assert state(page)["found"] == []

    click_node(page, "layer1")
    expect_names(page, ["Input", "layer1", "(fc)", "Reshape", "Gemm", "Output"])
    search.fill("relu")
    assert state(page)["found"] == ["layer1"], "the fold that hides it"
    search.press("Enter")
    expect_names(page, ["Input", "(layer1)", "Conv", "Relu", "(fc)", "Reshape", "Gemm", "Output"])
    expect(panel).to_contain_text("Relu-14")
    assert state(page)["marked"] == ["node_relu"]

    click_node(page, "Conv")
    expect(panel).to_contain_text("kernel_shape")
    page.locator("canvas.view").focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def expect_names(page, names):
    page.wait_for_function(
        """names => {
            const all = [...document.querySelectorAll("*")].map(e => e.shadowRoot).filter(Boolean);
            const canvas = all.map(root => root.querySelector("canvas.view")).find(Boolean);
            const shapes = canvas?.graph.scene.shapes.map(each => each.open ? `(${each.title})` : each.title);
            return JSON.stringify(shapes) === JSON.stringify(names);
        }""",
        arg=names,
    )


def test_a_fold_stays_in_its_place_when_it_is_opened(graph_page):
    page = graph_page
    for names in (
        ["Input", "layer1", "(fc)", "Reshape", "Gemm", "Output"],
        ["Input", "(layer1)", "Conv", "Relu", "(fc)", "Reshape", "Gemm", "Output"],
    ):
        page.locator("canvas.view").evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
        before = place(page, "layer1")
        click_node(page, "layer1")
        expect_names(page, names)
        settle(page)
        page.locator("canvas.view").evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
        assert place(page, "layer1") == pytest.approx(before, abs=2)


def test_the_keyboard_walks_from_node_to_node_and_leaves(graph_page):
    page = graph_page
    page.locator("canvas.view").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert state(page)["at"] == "layer1"
    page.keyboard.press("Enter")
    expect_names(page, ["Input", "layer1", "(fc)", "Reshape", "Gemm", "Output"])
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert state(page)["at"] is None
    assert not page.locator("canvas.view").evaluate("canvas => canvas.matches(':focus')")


@pytest.fixture(scope="module")
def dissected_run(finished_run, tmp_path_factory):
    run = copy_of(finished_run, tmp_path_factory.mktemp("dissected"))
    run_dissect(run, DissectConfig(steps=1, images=100, worst="no"), Monitor())
    return run


def test_a_click_on_one_side_marks_the_other(server, dissected_run, page):
    shutil.copytree(dissected_run.path, server.runs / "dissected")
    page.goto(f"{server.address}/dissect?run=dissected")
    page.locator("canvas.view[data-drawn]").nth(1).wait_for()
    click_node(page, "Gemm")
    page.get_by_role("heading", name="Gemm node_linear").wait_for()
    assert state(page, 1)["marked"] == ["node_linear/MatMul", "node_linear/add"]
    click_node(page, "Conv2D", graph=1)
    page.get_by_role("heading", name="Conv node_Conv").wait_for()
    assert [name.startswith("node_Conv") for name in state(page, 0)["marked"]] == [True]
