"""The switch of languages, the address and the browser's language."""

import pytest
from streamlit.runtime import context
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.pages.conftest import open_page


@pytest.fixture
def chinese_browser(monkeypatch):
    monkeypatch.setattr(context.ContextProxy, "locale", "zh-CN")


def language_of(app):
    return app.session_state["language"]


@pytest.mark.usefixtures("root")
def test_english_is_the_default_and_leaves_the_address_alone():
    app = open_page()
    assert language_of(app) == "en"
    assert "lang" not in app.query_params


@pytest.mark.usefixtures("root", "chinese_browser")
def test_the_browsers_language_is_the_default():
    app = open_page()
    assert language_of(app) == "zh"
    assert "lang" not in app.query_params


@pytest.mark.usefixtures("root")
def test_a_choice_is_in_the_address_of_every_page():
    app = open_page()
    app.segmented_control(key="language").set_value("zh").run()
    assert "zh" in app.query_params["lang"]
    del app.query_params["lang"]  # as the menu does
    app.switch_page("pages/train.py").run()
    assert language_of(app) == "zh"
    assert "zh" in app.query_params["lang"]


@pytest.mark.usefixtures("root", "chinese_browser")
def test_the_address_comes_before_the_browser():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["lang"] = "en"
    assert language_of(app.run()) == "en"
