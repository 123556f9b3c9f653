"""The graph view's part in the browser alone, without a server: what it marks, sends and paints."""

import itertools

import pytest

from convnet_core.graphs.diagram import Box, Diagram, Link
from convnet_core.language import use
from pages.components.graph_view.drawing import Drawing
from pages.components.graph_view.view import SCRIPT, _words
from testing.browser import ROOT

HTML, CSS = ((ROOT / f"pages/components/graph_view/view.{kind}").read_text() for kind in ("html", "css"))
GRAPH = "document.querySelector('canvas.view').graph"


@pytest.fixture
def show(page):
    """A function that shows a diagram; the page's `messages` are what it sends."""
    page.route("http://graph.test/", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
    page.route("**/view.js", lambda route: route.fulfill(content_type="text/javascript", body=SCRIPT))
    page.goto("http://graph.test/")

    def show_graph(boxes, links=(), again=False, **more):
        drawing = Drawing(Diagram(tuple(boxes), tuple(links)))
        opened = drawing.open_at_first
        data = {
            **drawing.view(opened),
            **{"marked": [], "colors": {}, "legend": None, "panel": None, "height": 0.6},
            "words": _words(drawing, opened),
            **more,
        }
        if not again:
            page.set_content(f"<style>{CSS}</style>{HTML}")
        page.evaluate(
            """async data => {
                window.messages = [];
                const { default: show } = await import("http://graph.test/view.js");
                show({ data, parentElement: document.body, setTriggerValue: (_, value) => messages.push(value) });
            }""",
            data,
        )
        page.locator("canvas.view[data-drawn]").wait_for()

    return show_graph


BOXES = [
    Box("conv1", "Conv", "conv1", tensors=("x", "conv1.weight", "a")),
    Box("conv10", "Conv", "conv10", tensors=("a", "conv10.weight", "b")),
    Box("up", "ConvTranspose", "up", tensors=("b", "up.weight", "c")),
    Box("relu", "Relu", "relu", tensors=("c", "conv_out")),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Conv", ["conv1", "conv10"]),
        ("conv", ["conv1", "conv10"]),
        ("convt", ["up"]),
        ("conv1", ["conv1"]),
        ("onv1", ["conv1", "conv10"]),
        ("a", ["conv1", "conv10"]),
        ("up.weight", ["up"]),
        ("conv_", ["relu"]),
        ("  ", []),
        ("nothing like it", []),
    ],
)
def test_a_search_marks_what_was_asked_for_and_nothing_else(show, page, text, found):
    """First whole operators, names and tensors, then parts of operators, names and tensors."""
    show(BOXES)
    page.get_by_role("searchbox").fill(text)
    assert page.evaluate(f"[...{GRAPH}.state.found.keys()]") == found
    assert page.locator("output").inner_text() == ((str(len(found)) if found else "no match") if text.strip() else "")


def test_enter_goes_from_match_to_match_and_around(show, page):
    show(BOXES)
    search = page.get_by_role("searchbox")
    search.fill("conv")
    for number, key in enumerate(("Enter", "Enter", "Enter", "Shift+Enter")):
        search.press(key)
        assert page.locator("output").inner_text() == ["1 / 2", "2 / 2", "1 / 2", "2 / 2"][number]
    sent = page.evaluate("messages.map(each => [each.kind, each.id, each.reveal])")
    assert sent == [["choose", name, True] for name in ("conv1", "conv10", "conv1", "conv10")]


def test_the_list_of_matches_is_walked_by_the_arrow_keys(show, page):
    show(BOXES)
    search = page.get_by_role("searchbox")
    search.fill("conv")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("messages.map(each => each.id)") == ["conv10"]
    page.keyboard.press("Escape")
    assert search.evaluate("field => field.matches(':focus')")


def test_closing_the_panel_by_keyboard_leads_back_to_the_graph(show, page):
    show(BOXES, panel={"title": "Conv-22", "name": "conv1", "parts": []})
    page.get_by_role("button", name="Close", exact=True).press("Enter")
    assert page.evaluate("messages") == [{"kind": "choose", "id": ""}]
    assert page.locator("canvas.view").evaluate("canvas => canvas.matches(':focus')")


def test_a_fold_follows_a_change_of_the_language(show, page):
    boxes = [Box(str(number), "Relu", groups=("layer",)) for number in range(40)]
    show(boxes)
    with use("zh"):
        show(boxes, again=True)
    assert page.evaluate(f"{GRAPH}.scene.byId.get('layer').about") == "40 个节点"


def test_only_what_is_in_the_view_is_painted(show, page):
    boxes = [Box(f"n{number}", "Relu", f"n{number}") for number in range(2000)]
    links = [Link(f"n{number}", f"n{number + 1}", f"t{number}", "1×8") for number in range(1999)]
    show(boxes, links)
    page.evaluate(
        f"""() => {{
            const {{painter}} = {GRAPH}, paint = painter.box;
            window.painted = 0;
            painter.box = shape => {{ painted += 1; paint.call(painter, shape); }};
        }}"""
    )
    page.locator("canvas.view").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("painted > 0")
    assert page.evaluate("painted") < 40


def test_arrows_move_and_signs_zoom_and_the_page_scrolls_on_at_the_end(show, page):
    show(BOXES, [Link(one.id, two.id, "t") for one, two in itertools.pairwise(BOXES)])
    page.locator("canvas.view").focus()
    camera = f"{GRAPH}.camera"
    before = page.evaluate(camera)
    page.keyboard.press("+")
    assert page.evaluate(camera)["scale"] > before["scale"]
    for _ in range(40):
        page.keyboard.press("ArrowDown")
    end = page.evaluate(camera)
    assert end["y"] > before["y"]
    scrolled = """canvas => !canvas.dispatchEvent(
        new WheelEvent("wheel", {deltaY: 50, cancelable: true, bubbles: true}))"""
    assert not page.locator("canvas.view").evaluate(scrolled), "at the end the page scrolls"
