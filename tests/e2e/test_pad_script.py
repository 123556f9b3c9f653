"""The pad's part in the browser alone, without a server: what it sends, and what it keeps."""

import json

import pytest

from testing.browser import ROOT

LIVE_PAD = ROOT / "pages/components/live_pad"
DATA = {
    "number": 0,
    "tone": "blank",
    "words": {"pad": "The pad", "undo": "Undo", "clear": "Clear", "pen": "Pen", "examples": "Take one", "bars": []},
    **{"digit": "", "title": "", "detail": "", "note": "", "bars": [], "runtimes": []},
}


@pytest.fixture
def show(page):
    """A function that shows the pad in this layout; the page's `messages` are what it sends."""
    page.route("http://pad.test/", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
    page.route("**/pad.js", lambda route: route.fulfill(path=LIVE_PAD / "pad.js"))
    page.goto("http://pad.test/")

    def show_pad(layout):
        page.set_content((LIVE_PAD / "pad.html").read_text())
        page.evaluate(
            """async data => {
                window.messages = [];
                const { default: show } = await import("http://pad.test/pad.js");
                show({ data, parentElement: document.body, setStateValue: (_, value) => messages.push(value) });
            }""",
            {**DATA, "layout": layout},
        )

    return show_pad


def stored_strokes(page):
    return json.loads(page.evaluate("sessionStorage['convnet.drawing']"))["strokes"]


def test_only_a_pad_sends_the_drawing_of_the_tab(show, page):
    page.evaluate(
        'sessionStorage[\'convnet.drawing\'] = \'{"number": 7, "strokes": [{"width": 9, "points": [1, 2]}]}\''
    )
    show("answer")
    page.wait_for_timeout(200)
    assert page.evaluate("messages") == []
    show("full")
    page.wait_for_function("messages.length")
    assert page.evaluate("messages[0].number") == 7


@pytest.mark.parametrize("key", ["Delete", "Control+z"])
def test_erasing_while_the_pen_is_down_lifts_it(show, page, key):
    show("full")
    page.locator("canvas").focus()
    for each in ("Space", "ArrowRight", key, "ArrowDown"):
        page.keyboard.press(each)
    assert stored_strokes(page) == []
    for each in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(each)
    (stroke,) = stored_strokes(page)
    assert len(stroke["points"]) == 4


@pytest.mark.parametrize("use", ["key", "button"])
def test_a_digit_can_be_drawn_by_a_key_or_a_button(show, page, use):
    show("full")
    examples = [[{"width": 22, "points": [digit, digit]}] for digit in range(10)]
    page.locator(".examples").evaluate("(box, strokes) => { box.dataset.strokes = strokes; }", json.dumps(examples))
    if use == "key":
        page.locator("canvas").focus()
        page.keyboard.press("7")
    else:
        page.get_by_role("group", name="Take one").get_by_role("button", name="7").press("Enter")
    assert stored_strokes(page) == examples[7]


@pytest.mark.parametrize("name", [".clear", ".undo"])
def test_a_button_while_the_pen_is_down_lifts_it(show, page, name):
    show("full")
    page.locator("canvas").focus()
    for each in ("Space", "ArrowRight"):
        page.keyboard.press(each)
    page.locator(name).evaluate("button => { button.disabled = false; button.click() }")
    assert stored_strokes(page) == []
    for each in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(each)
    assert len(stored_strokes(page)) == 1
