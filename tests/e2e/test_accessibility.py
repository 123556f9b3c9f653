"""Every page for everyone: WCAG AA by axe-core, and a phone that scrolls in one direction only."""

import shutil

import pytest

from convnet_core.config.stages import BenchmarkConfig
from convnet_core.events import Monitor
from convnet_core.stages.benchmark import run_benchmark
from testing import axe
from testing.browser import PAGES, SEVEN, draw, settle
from tests.conftest import copy_of
from tests.support.choices import prepare

LAPTOP = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="session")
def script(shared_folder):
    """axe-core; skips the test if it cannot be had."""
    script, reason = axe.download(shared_folder)
    if script is None:
        pytest.skip(reason)
    return script


def faults_of(page, address, script, names=(*PAGES, "dissect?lesson=all")):
    """What is wrong on each page, by its name."""
    faults = {}
    for name in names:
        page.goto(f"{address}/{name}")
        page.get_by_role("heading", level=1).first.wait_for()
        settle(page)
        if name == "sketchpad" and page.locator("canvas").count():
            draw(page, SEVEN)
            page.get_by_text("What the network sees").click()
            page.get_by_text("brighter is stronger").wait_for()
        found = axe.violations(page, script)
        if found:  # a component may not have drawn itself yet
            page.wait_for_timeout(2000)
            found = axe.violations(page, script)
        if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
            found.append("scrolls sideways")
        if found:
            faults[name] = found
    return faults


def test_the_first_page_of_a_new_visitor_and_the_busiest_pages_of_a_finished_run(
    server, new_page, script, finished_run
):
    page = new_page(**LAPTOP)
    assert not faults_of(page, server.address, script, ["home"])
    copy_of(finished_run, server.runs)
    assert not faults_of(page, server.address, script, ["home", "train", "export", "compare", "sketchpad"])


@pytest.mark.slow
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_every_page_of_a_new_visitor(server, new_page, script, size):
    assert not faults_of(new_page(**size), server.address, script)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # eight rounds over all pages
def test_every_page_of_a_run_with_all_stages_and_then_of_one_out_of_date(server, new_page, script, finished_run):
    run = prepare(copy_of(finished_run, server.runs))
    run_benchmark(run, BenchmarkConfig(batch_sizes=(1, 2), seconds=0.01, warmup=0), Monitor())
    for state in ("up to date", "out of date"):
        for scheme in ("light", "dark"):
            for size in (LAPTOP, PHONE):
                page = new_page(**size, color_scheme=scheme)
                assert not faults_of(page, server.address, script), (state, scheme, size)
        shutil.copyfile(run.path / "export/model.onnx", run.path / "train/model.safetensors")


_FOCUS = """() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    if (!element || element === document.body) return null;
    const name = element.ariaLabel || element.labels?.[0]?.innerText || element.innerText || '';
    const { outlineStyle, boxShadow } = getComputedStyle(element);
    return [element.tagName, name.trim().split('\\n').pop(), outlineStyle !== 'none' || boxShadow !== 'none'];
}"""


def test_the_keyboard_reaches_everything_on_home_and_leaves_it_again(server, new_page, finished_run):
    copy_of(finished_run, server.runs)
    page = new_page(**LAPTOP)
    page.goto(server.address)
    page.get_by_role("group", name="Or take one").wait_for()
    settle(page)
    page.evaluate("document.activeElement.blur()")
    found = []
    for _ in range(150):
        page.keyboard.press("Tab")
        if (focus := page.evaluate(_FOCUS)) is None:
            break
        found.append(focus)
    else:
        pytest.fail(f"the keyboard is caught: {found[-5:]}")
    names = [name for _, name, _ in found]
    assert names[0] == "Skip to main content"
    for name in ("Train", "Main menu", "7", "Download the report", "Upload"):
        assert name in names, names
    assert not [(tag, name) for tag, name, seen in found if tag in ("A", "BUTTON") and not seen]
    page.get_by_role("img", name="The pad").focus()
    page.keyboard.press("7")
    page.get_by_text("read 7").wait_for(timeout=60_000)  # the runtimes load
    page.keyboard.press("Delete")
    page.get_by_text("One digit, from 0 to 9").wait_for()
