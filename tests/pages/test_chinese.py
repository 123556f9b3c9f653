"""Every page in Chinese: no sentence stays English."""

import re
import shutil

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from testing.browser import PAGES
from tests.conftest import ROOT, copy_of

_TEXTS = {"label", "body", "help", "placeholder", "text", "caption", "options", "header", "title", "alt", "content"}
"""The fields of Streamlit's messages that people read."""
_ENGLISH = re.compile(r"[A-Za-z][a-z]+(?:[ ,'’-]+[a-z]+){2,}")
"""Three words in a row."""
_NOT_TEXT = re.compile(r"<style>.*?</style>|<svg.*?</svg>|<[^>]*>|`[^`]*`|\S*[/_.]\S*", re.DOTALL)
_FOREIGN = ("enclosed in double quotes",)
"""What Python says about a file."""


def open_chinese(page):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["lang"] = "zh"
    app = app.run()
    if page != "home":
        app = app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def texts(message):
    """All strings in a message of Streamlit that people read."""
    for field, value in message.ListFields():
        for item in value if field.is_repeated else [value]:
            if isinstance(item, Message):
                yield from texts(item)
            elif isinstance(item, str) and field.name in _TEXTS:
                yield item


def english(app):
    """The English sentences on a page."""
    found = []
    for block in (app.main, app.sidebar):
        for element in block:
            if element.proto is not None and element.type not in (
                "plotly_chart",
                "arrow_data_frame",
                "code",
                "bidi_component",
            ):
                for text in texts(element.proto):
                    found += _ENGLISH.findall(_NOT_TEXT.sub(" ", text))
    return [text for text in found if not any(part in text for part in _FOREIGN)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_a_run(root, page):
    assert not english(open_chinese(page))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_finished_run(root, finished_run, page):
    copy_of(finished_run, root)
    assert not english(open_chinese(page))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_damaged_run(root, finished_run, page):
    run = copy_of(finished_run, root)
    for stage in ("train", "export", "compare"):
        for path in (run.path / stage).glob("*.json"):
            if path.name != "stage.json":
                path.write_text("{", encoding="utf-8")
    shutil.rmtree(run.path / "convert")
    assert not english(open_chinese(page))
