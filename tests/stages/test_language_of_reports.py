"""A job writes its reports in its own language; what programs read of them is the same in every language."""

import dataclasses
import re

import pytest

from convnet_core import language
from convnet_core.common.files import read_json
from convnet_core.compare.report_file import Report
from convnet_core.config.stages import CompareConfig, DissectConfig
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.dissect import run_dissect
from tests.conftest import copy_of, python

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LESSON = "lessons/not-scaled"


@pytest.fixture(scope="module")
def chinese_run(finished_run, tmp_path_factory):
    """A run compared and dissected by jobs in Chinese."""
    run = copy_of(finished_run, tmp_path_factory.mktemp("chinese"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(language.VARIABLE, "zh")
        run_compare(run, CompareConfig(batch_sizes=(64,), samples=2), Monitor())
        run_dissect(run, DissectConfig(lesson="not-scaled", samples=2, images=200, batch_sizes=(1,)), Monitor())
    return run


@pytest.mark.parametrize(
    ("folder", "texts"),
    [("compare", ("运行时", "误差有多大", "一致")), (_LESSON, ("课程：", "节点对照", "像素没有缩放到 [0, 1]"))],
)
def test_a_job_in_chinese_writes_chinese_reports(chinese_run, folder, texts):
    for file in ("report.html", "report.md"):
        content = (chinese_run.path / folder / file).read_text()
        assert file == "report.md" or '<html lang="zh">' in content
        assert all(text in content for text in texts if text != "误差有多大" or file == "report.html")


def test_a_job_without_a_language_writes_english_reports(finished_run):
    content = (finished_run.path / "compare/report.html").read_text()
    assert '<html lang="en">' in content
    assert "How large the errors are" in content
    assert not _CHINESE.search(content)


def test_keys_and_codes_are_the_same_in_every_language(finished_run, chinese_run):
    english, chinese = (read_json(run.path / "compare/report.json") for run in (finished_run, chinese_run))
    assert english.keys() == chinese.keys() == {field.name for field in dataclasses.fields(Report)}
    assert english["verdict"] == chinese["verdict"]
    assert {item["inputs"] for item in english["results"]} == {item["inputs"] for item in chinese["results"]}
    dissection = read_json(chinese_run.path / _LESSON / "dissection.json")
    assert dissection.keys() == {field.name for field in dataclasses.fields(DissectionReport)}
    (finding,) = dissection["findings"]
    assert finding["kind"] == "data"
    assert _CHINESE.search(finding["text"])
    assert _CHINESE.search(finding["mend"])


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
