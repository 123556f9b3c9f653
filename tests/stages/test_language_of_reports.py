"""A job writes its reports in its own language; what programs read of them is the same in every language."""

import re

import pytest

from convnet_core import language
from convnet_core.common.files import read_json
from convnet_core.config.stages import CompareConfig, DissectConfig
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.language import LANGUAGES
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.dissect import run_dissect
from tests.conftest import copy_of, python

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_FOLDERS = ("compare", "lessons/not-scaled")


@pytest.fixture(scope="module")
def runs(finished_run, tmp_path_factory):
    """A run compared and dissected by jobs of each language."""
    made = {}
    for name in LANGUAGES:
        made[name] = copy_of(finished_run, tmp_path_factory.mktemp(name))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(language.VARIABLE, name)
            run_compare(made[name], CompareConfig(batch_sizes=(64,), samples=2), Monitor())
            run_dissect(
                made[name], DissectConfig(lesson="not-scaled", samples=2, images=200, batch_sizes=(1,)), Monitor()
            )
    return made


@pytest.mark.parametrize("folder", _FOLDERS)
@pytest.mark.parametrize("name", LANGUAGES)
def test_a_report_is_in_the_language_of_its_job(runs, name, folder):
    for file in ("report.html", "report.md"):
        text = (runs[name].path / folder / file).read_text()
        heading = text.split("<body>")[-1] if file == "report.html" else text
        assert bool(_CHINESE.search(heading)) == (name == "zh")
        assert file != "report.html" or f'<html lang="{name}">' in text


@pytest.mark.parametrize("file", ["compare/report.json", "lessons/not-scaled/dissection.json"])
def test_keys_and_codes_are_the_same_in_every_language(runs, file):
    english, chinese = (read_json(runs[name].path / file) for name in LANGUAGES)
    assert keys_of(english) == keys_of(chinese)
    assert english.get("verdict") == chinese.get("verdict")
    assert [item["inputs"] for item in english.get("results", ())] == [
        item["inputs"] for item in chinese.get("results", ())
    ]
    findings = [[item["kind"] for item in report.get("findings", ())] for report in (english, chinese)]
    assert findings[0] == findings[1]
    for finding in chinese.get("findings", ()):
        assert _CHINESE.search(finding["text"])
        assert _CHINESE.search(finding["mend"])


def keys_of(value):
    """The keys of a JSON value and of all values in it."""
    if isinstance(value, dict):
        return {key: keys_of(item) for key, item in value.items()}
    return [keys_of(item) for item in value] if isinstance(value, list) else None


def test_an_error_is_in_the_language_of_the_session(tmp_path):
    with language.use("zh"), pytest.raises(RunError, match="不是运行") as caught:
        Run.open(tmp_path)
    assert caught.value.hint == "`python -m convnet_core runs` 列出所有运行"
    with pytest.raises(RunError, match="is not a run"):
        Run.open(tmp_path)


def test_the_help_of_the_command_line_stays_english():
    code = "import sys; from convnet_core.cli.main import main; sys.exit(main(['train', '--help']))"
    shown = python(code, env={language.VARIABLE: "zh"}).stdout
    assert "images per optimizer step" in shown
    assert not _CHINESE.search(shown)
