"""What people do with a finished run: click a node, draw a digit, download the files."""

import io
import re
import subprocess
import sys
import zipfile

import pytest
from playwright.sync_api import expect

from testing.browser import PAGES, SEVEN, click_node, draw, settle
from tests.conftest import RUNTIMES, copy_of


@pytest.fixture
def run(finished_run, server):
    return copy_of(finished_run, server.runs)


def test_the_answer_changes_during_a_stroke_and_the_drawing_survives_a_reload(server, run, page):
    page.goto(f"{server.address}/sketchpad")
    page.get_by_text("One digit, from 0 to 9").wait_for()
    answer = page.locator(".board .digit")
    corners = [point_of(page, point) for point in SEVEN[0]]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=12)
    page.wait_for_function("digit => digit.textContent.match(/[0-9]/)", arg=answer.element_handle(), timeout=60_000)
    page.mouse.move(*corners[2], steps=12)
    expect(answer).to_have_text("7")  # the pen is still down
    page.mouse.up()
    page.get_by_text(f"All {len(RUNTIMES)} runtimes read 7").wait_for(timeout=60_000)
    page.reload()
    page.get_by_text(f"All {len(RUNTIMES)} runtimes read 7").wait_for(timeout=60_000)
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("One digit, from 0 to 9").wait_for()


@pytest.mark.slow
def test_a_letter_gets_not_sure(server, run, page):
    page.goto(f"{server.address}/sketchpad")
    page.get_by_text("One digit, from 0 to 9").wait_for()
    settle(page)
    draw(page, [[(0.3, 0.2), (0.7, 0.8)], [(0.7, 0.2), (0.3, 0.8)]])
    not_sure = "does not look like one digit"  # once doubt is learned in the background, the page reads again by itself
    expect(page.locator(".board .detail")).to_contain_text(not_sure, timeout=120_000)


def point_of(page, point):
    """The position of a point on the pad, given as fractions of its width and height."""
    box = page.locator("canvas").last.bounding_box()
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]


@pytest.mark.slow
def test_strokes_of_the_plain_pad_can_start_anywhere(server, run, page):
    """The plain pad's toolbar must stay hidden: it once covered the upper right corner, invisibly."""
    page.goto(f"{server.address}/sketchpad?plain=true")
    page.get_by_text("One digit, from 0 to 9").wait_for()
    settle(page)
    draw(page, [[(0.97, 0.02), (0.97, 0.3)], [(0.7, 0.02), (0.5, 0.02)]])
    page.get_by_role("button", name="Undo").and_(page.locator(":enabled")).wait_for()
    for _ in range(2):  # once per stroke
        settle(page)
        page.get_by_role("button", name="Undo").click()
    page.get_by_text("One digit, from 0 to 9").wait_for()
    assert not page.locator(".dc-toolbar").is_visible()


@pytest.mark.slow
def test_a_phone_shows_all_ten_digits(server, run, new_page):
    page = new_page(is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.address}/sketchpad")
    page.get_by_text("One digit, from 0 to 9").wait_for()
    settle(page)
    draw(page, SEVEN)
    page.get_by_text("Save it as a test case").click()
    digits = page.get_by_test_id("stMain").get_by_role("radio").filter(has_text=re.compile(r"^\d$"))
    digits.last.wait_for()
    # in one call: the page is drawn again while doubt is learned, which replaces the elements
    shown = digits.evaluate_all("all => all.map(one => [one.innerText.trim(), one.getBoundingClientRect().right])")
    assert [text for text, _ in shown] == [*"0123456789"]
    assert all(0 < right <= 374 for _, right in shown)


@pytest.mark.slow
def test_a_lesson_tells_its_story_and_clicks_in_both_graphs_show_the_node(server, run, page):
    page.goto(f"{server.address}/dissect?lesson=transposed")
    page.get_by_role("button", name="Show it on this network").click()
    page.get_by_text("Digits read").wait_for(timeout=120_000)
    page.get_by_text("The labels are in another order").click()
    page.get_by_text("Not this one").wait_for()
    page.get_by_text("The rows and columns of a convolution's kernel are swapped").click()
    page.get_by_text("its transpose by (0, 1, 3, 2) fits").first.wait_for()
    page.reload()
    page.get_by_text("Right", exact=True).wait_for()
    page.get_by_text("kernel = weight.transpose(2, 3, 1, 0)").wait_for()
    page.get_by_text("All that the dissection of this lesson measured").click()
    click_node(page, "Gemm")
    page.get_by_role("heading", name="Gemm node_linear").wait_for()
    click_node(page, "Conv2D", graph=1)
    page.get_by_role("heading", name="Conv node_Conv").wait_for()
    page.get_by_text("A BatchNorm is folded into this node").wait_for()
    page.get_by_role("button", name="Next lesson").click()
    page.get_by_text("Lesson 6 of 8").wait_for()


def test_a_link_hides_controls_on_every_page_until_they_are_shown_again(server, run, page):
    page.goto(f"{server.address}/?hide=menu,runs,downloads,upload")
    way = page.get_by_test_id("way").get_by_role("link")
    way.last.wait_for()
    settle(page)
    for part in ("stSidebarNav", "stFileUploader", "stDownloadButton"):
        page.get_by_test_id(part).first.wait_for(state="attached")
        assert not page.get_by_test_id(part).first.is_visible(), part
    way.last.click()  # a new session
    page.get_by_role("heading", name="Compare").wait_for()
    settle(page)
    assert not page.get_by_test_id("stSidebar").is_visible()
    page.get_by_role("button", name="Show all controls").click()
    page.get_by_test_id("stSidebarNav").wait_for()
    assert "hide" not in page.url
    page.get_by_role("button", name="Share this page").click()
    page.get_by_role("dialog").get_by_text("Settings", exact=True).click()
    page.get_by_role("dialog").get_by_text("&hide=settings").wait_for()


@pytest.mark.slow
def test_the_zip_opens_and_its_snippets_run(server, run, page, tmp_path):
    page.goto(f"{server.address}/convert")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all as one zip").click()
    content = zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes()))
    assert content.testzip() is None
    names = {name.split("/", 1)[1] for name in content.namelist()}
    assert {"README.txt", "export/model.onnx", "convert/native/model.int8.tflite"} <= names
    for name in content.namelist():
        target = tmp_path / "zip" / name
        assert target.resolve().is_relative_to(tmp_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read(name))
    (snippet,) = (tmp_path / "zip").rglob("use_model_onnx.py")
    subprocess.run([sys.executable, snippet.name], cwd=snippet.parent, check=True, capture_output=True, timeout=120)


@pytest.mark.slow
def test_no_page_fails_scrolls_sideways_or_contacts_other_hosts(server, run, page):
    """Checks widths of 1280 and 800 pixels."""
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    for name in ("", *PAGES[1:]):
        page.goto(f"{server.address}/{name}")
        page.get_by_role("heading", level=1).first.wait_for()
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 900})
            settle(page)
            main = "document.querySelector('[data-testid=stMain]')"
            # Plotly needs a moment to adapt to the new width.
            page.wait_for_function(f"{main}.scrollWidth <= {main}.clientWidth", timeout=10_000)
            assert not page.get_by_test_id("stException").count(), name
        icon = page.locator("link[rel='shortcut icon']").get_attribute("href")
        assert icon.startswith("data:image/svg+xml"), (name, icon)
    assert not [url for url in urls if not url.startswith((server.address, "data:", "blob:"))]
