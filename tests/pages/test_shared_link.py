"""A link that hides parts of the app: it holds on every page until everything is shown again."""

import re

from streamlit.testing.v1 import AppTest

from testing.browser import PAGES
from tests.conftest import ROOT, copy_of
from tests.pages.conftest import button, open_page, picture


def hidden_selectors(app):
    """What the style of the page hides."""
    styles = [item.proto.body for item in app.get("html")]
    return " ".join(match[1] for style in styles for match in re.finditer(r"<style>(.*?) {display: none}", style))


def open_link(hide):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["hide"] = hide
    return app.run()


def test_the_address_decides_and_every_page_keeps_it(root, finished_run):
    copy_of(finished_run, root)
    app = open_link("menu,settings,unknown")
    for name in PAGES:
        app.query_params.clear()  # as the browser does on the way to another page
        app.switch_page(f"pages/{name}.py").run()
        assert not app.exception
        assert "stSidebarNav" in hidden_selectors(app), name
        assert "st-key-settings" in hidden_selectors(app)
        assert "stFileUploader" not in hidden_selectors(app)
        assert app.query_params["hide"] == "menu,settings"


def test_links_within_a_page_carry_the_choice(root, finished_run):
    run = copy_of(finished_run, root)
    assert f'href="compare?run={run.name}"' in picture(open_page())
    assert f'href="compare?run={run.name}&amp;hide=upload%2Cdownloads"' in picture(open_link("upload,downloads"))


def test_a_hidden_setting_keeps_the_value_of_the_address(root, finished_run):
    copy_of(finished_run, root)
    app = open_link("settings")
    app.query_params["epochs"] = "7"
    app.switch_page("pages/train.py").run()
    assert next(item for item in app.slider if item.key == "epochs").value == 7


def test_the_sidebar_goes_only_if_nothing_in_it_is_left(root, finished_run):
    copy_of(finished_run, root)
    assert '"stSidebar"' not in hidden_selectors(open_link("menu"))
    assert '"stSidebar"' in hidden_selectors(open_link("menu,runs"))


def test_everything_can_be_shown_again(root, finished_run):
    copy_of(finished_run, root)
    app = open_link("menu,runs")
    button(app, "Show all controls").click().run()
    assert not hidden_selectors(app)
    assert "hide" not in app.query_params
    app.switch_page("pages/train.py").run()
    assert not hidden_selectors(app)
    assert "Show all controls" not in [item.label for item in app.button]


def test_the_dialog_writes_the_link(root, finished_run):
    run = copy_of(finished_run, root)
    app = open_page("dissect")
    button(app, "Share this page").click().run()
    assert not app.exception
    (code,) = [item.value for item in app.code if f"?run={run.name}" in item.value]
    assert code.endswith(f"?run={run.name}")
