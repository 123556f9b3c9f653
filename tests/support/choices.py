"""Every choice of every selector on a page, one after the other: with AppTest, and in a browser."""

from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup, Selectbox, SelectSlider

from convnet_core.config.stages import CompareConfig, ConvertConfig, DissectConfig
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from testing.browser import settle


class Shown(str):
    """An option as a page shows it; AppTest takes the value behind it, which it has not for somebody who looks."""


def choose_what_is_shown(monkeypatch):
    """Let AppTest take `Shown`."""
    for kind in (ButtonGroup, Selectbox, SelectSlider):
        plain = kind.format_func.fget
        as_shown = lambda item, plain=plain: lambda value: value if isinstance(value, Shown) else plain(item)(value)  # noqa: E731
        monkeypatch.setattr(kind, "format_func", property(as_shown))


def _options(item):
    """What one can choose; of a slider, its ends."""
    match item.type:
        case "select_slider":
            return [Shown(item.options[0]), Shown(item.options[-1])]
        case "slider":
            return [item.min, item.max]
        case "checkbox" | "toggle":
            return [not item.value, item.value]
        case "multiselect":
            return [item.options, []]
        case _:
            return [Shown(option) for option in item.options]


def _selectors(app: AppTest):
    kinds = ("selectbox", "radio", "button_group", "multiselect", "select_slider", "slider", "checkbox", "toggle")
    return {item.key or item.label: item for kind in kinds for item in app.get(kind) if not item.disabled}


def try_every_choice(app: AppTest, leave_out=("run",)) -> int:
    """Choose every option of every selector, also of those that a choice brings; how many there were.

    Fails at the first exception. A selector is put back before the next one is tried.
    """
    done, count = set(leave_out), 0
    while names := [name for name in _selectors(app) if name not in done]:
        done.add(names[0])
        before = _selectors(app)[names[0]].value
        for option in _options(_selectors(app)[names[0]]):
            _selectors(app)[names[0]].set_value(option).run()
            assert not app.exception, (names[0], option, app.exception)
            count += 1
        _selectors(app)[names[0]].set_value(before).run()
    return count


def try_every_choice_in_a_browser(page: Page) -> int:
    """Unfold each part, look at each tab, choose each option of each list of one choice; how many lists there were."""
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
    """Each option of each list that is in sight, by its label, from the last to the first: it begins with that."""
    for label in [field.get_attribute("aria-label") for field in _boxes(page).all()]:
        field = _boxes(page).and_(page.get_by_role("combobox", name=label, exact=True))
        if label in tried or not (field.is_visible() and field.is_enabled()):
            continue
        tried.add(label)
        field.click()
        options = page.get_by_role("option").count()  # of a long list those in sight
        page.keyboard.press("Escape")
        for option in reversed(range(options)):
            field.click()
            page.get_by_role("option").nth(option).click()
            _check(page, f"{label}, option {option}")


def _boxes(page):
    """The lists of which one takes one option."""
    return page.get_by_test_id("stMain").get_by_test_id("stSelectbox").get_by_role("combobox")


def _check(page, what):
    settle(page)
    assert not page.get_by_test_id("stException").count(), what


def prepare(run: Run) -> Run:
    """Convert, compare and dissect a run that is exported, as far as the pages show it."""
    from convnet_core.stages.compare import run_compare
    from convnet_core.stages.convert import run_convert
    from convnet_core.stages.dissect import run_dissect

    if run.state("convert/native").state == "missing":
        run_convert(run, ConvertConfig(calibration_size=4), Monitor())
        run_compare(run, CompareConfig(samples=4, batch_sizes=(1, 2)), Monitor())
    run_dissect(run, DissectConfig(steps=1, images=20, samples=2, batch_sizes=(1, 2)), Monitor())
    return run
