"""Try every choice of every selector on a page, with AppTest and in a browser."""

from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup, Selectbox, SelectSlider

from convnet_core.config.stages import CompareConfig, ConvertConfig, DissectConfig
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from testing.browser import settle


class DisplayedOption(str):
    """An option as the page displays it. AppTest wants the value behind it, which a test cannot see."""


def accept_displayed_options(monkeypatch):
    """Let AppTest accept values of `DisplayedOption`."""
    for kind in (ButtonGroup, Selectbox, SelectSlider):
        monkeypatch.setattr(kind, "format_func", property(_keep_displayed(kind.format_func.fget)))


def _keep_displayed(format_func):
    """Wrap a getter of AppTest's `format_func` so that displayed options stay as they are."""
    return lambda item: lambda value: value if isinstance(value, DisplayedOption) else format_func(item)(value)


def _options(item):
    """The values to try; for a slider, both ends."""
    match item.type:
        case "select_slider":
            return [DisplayedOption(item.options[0]), DisplayedOption(item.options[-1])]
        case "slider":
            return [item.min, item.max]
        case "checkbox" | "toggle":
            return [not item.value, item.value]
        case "multiselect":
            return [item.options, []]
        case _:
            return [DisplayedOption(option) for option in item.options]


def _selectors(app: AppTest):
    kinds = ("selectbox", "radio", "button_group", "multiselect", "select_slider", "slider", "checkbox", "toggle")
    return {item.key or item.label: item for kind in kinds for item in app.get(kind) if not item.disabled}


def try_every_choice(app: AppTest, leave_out=("run",)) -> int:
    """Choose every option of every selector, including selectors that appear after a choice. Returns their number.

    Fails at the first exception. Resets each selector before trying the next one.
    """
    tried, count = set(leave_out), 0
    while names := [name for name in _selectors(app) if name not in tried]:
        tried.add(names[0])
        before = _selectors(app)[names[0]].value
        for option in _options(_selectors(app)[names[0]]):
            _selectors(app)[names[0]].set_value(option).run()
            assert not app.exception, (names[0], option, app.exception)
            count += 1
        _selectors(app)[names[0]].set_value(before).run()
    return count


def try_every_choice_in_a_browser(page: Page) -> int:
    """Open every expander and tab and choose every option of every select box. Returns the number of boxes."""
    tried = set()
    for box in page.get_by_test_id("stExpander").all():
        if box.locator("details:not([open])").count():
            box.locator("summary").click()
    _try_lists(page, tried)
    for tab in page.get_by_role("tab").all():
        tab.click()
        _check(page, tab.inner_text())
        _try_lists(page, tried)
    return len(tried)


def _try_lists(page, tried):
    """Choose each option of each visible select box, from last to first, so that it ends at its initial option."""
    for label in [field.get_attribute("aria-label") for field in _boxes(page).all()]:
        field = _boxes(page).and_(page.get_by_role("combobox", name=label, exact=True))
        if label in tried or not (field.is_visible() and field.is_enabled()):
            continue
        tried.add(label)
        field.click()
        options = page.get_by_role("option").count()  # a long list counts only the visible ones
        page.keyboard.press("Escape")
        for option in reversed(range(options)):
            field.click()
            page.get_by_role("option").nth(option).click()
            _check(page, f"{label}, option {option}")


def _boxes(page):
    """The select boxes of the page."""
    return page.get_by_test_id("stMain").get_by_test_id("stSelectbox").get_by_role("combobox")


def _check(page, what):
    settle(page)
    assert not page.get_by_test_id("stException").count(), what


def prepare(run: Run) -> Run:
    """Convert, compare and dissect an exported run with small settings."""
    from convnet_core.stages.compare import run_compare
    from convnet_core.stages.convert import run_convert
    from convnet_core.stages.dissect import run_dissect

    if run.state("convert/native").state == "missing":
        run_convert(run, ConvertConfig(calibration_size=4), Monitor())
        run_compare(run, CompareConfig(samples=4, batch_sizes=(1, 2)), Monitor())
    run_dissect(run, DissectConfig(steps=1, images=20, samples=2, batch_sizes=(1, 2)), Monitor())
    return run
