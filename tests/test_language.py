"""Texts in the language of the block, the thread, the process, and a job."""

import os
import threading

import pytest

from convnet_core import language
from convnet_core.language import LANGUAGES, N_, _, plural
from tests.conftest import python


@pytest.fixture
def chinese(tmp_path, monkeypatch):
    """Catalogs with a few texts, in place of the real ones."""
    folder = tmp_path / "zh/LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "app.po").write_text(
        'msgid "Convert {name}"\nmsgstr "转换 {name}"\n\n'
        'msgid "{count} node"\nmsgid_plural "{count} nodes"\nmsgstr[0] "{count} 个节点"\n\n'
        'msgid "Later"\nmsgstr ""\n',
        encoding="utf-8",
    )
    (folder / "core.po").write_text('msgid "Stop"\nmsgstr "停止"\n', encoding="utf-8")
    monkeypatch.setattr(language, "LOCALE", tmp_path)
    language._translations.cache_clear()
    yield
    language._translations.cache_clear()


@pytest.mark.usefixtures("chinese")
def test_texts_are_in_the_language_of_the_block():
    assert _("Convert {name}", name="a.onnx") == "Convert a.onnx"
    with language.use("zh"):
        assert _("Convert {name}", name="a.onnx") == "转换 a.onnx"
        assert _(N_("Stop")) == "停止"  # from the other catalog
        assert [plural("{count} node", "{count} nodes", count) for count in (1, 2000)] == ["1 个节点", "2,000 个节点"]
        assert _("Later") == "Later"  # without a translation
    assert _("Stop") == "Stop"


def test_counts_in_english():
    texts = [plural("{count} node in {name}", "{count} nodes in {name}", count, name="a") for count in (0, 1, 2000)]
    assert texts == ["0 nodes in a", "1 node in a", "2,000 nodes in a"]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("zh-CN", "zh"), ("zh_TW.UTF-8", "zh"), ("en", "en"), ("EN-us", "en"), ("fr-FR", None), ("", None), (None, None)],
)
def test_language_of_a_locale(locale, expected):
    assert language.match(locale) == expected


def test_a_function_keeps_its_language_in_another_thread():
    heard = []
    with language.use("zh"):
        kept = language.keep(lambda: heard.append(language.current()))
        for target in (kept, lambda: heard.append(language.current())):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert heard == ["zh", "en"]


def test_language_of_a_process():
    code = "from convnet_core import language; print(language.current())"
    assert python(code).stdout == "en\n"
    for name in LANGUAGES:
        assert python(code, env={"CONVNET_LANGUAGE": name}).stdout == f"{name}\n"
    assert python(code, env={"CONVNET_LANGUAGE": "fr"}).stdout == "en\n"


def test_english_needs_no_babel():
    python("import sys; from convnet_core.language import _; assert _('a') == 'a' and 'babel' not in sys.modules")


def test_a_worker_answers_in_the_language_of_its_caller():
    from convnet_core.worker.client import Worker
    from tests.support.reader_tasks import tell_language

    worker = Worker()
    for name in LANGUAGES:
        with language.use(name):
            assert worker.run(tell_language, {})[0] == {"language": name}
    worker.restart()
    assert "CONVNET_LANGUAGE" not in os.environ
