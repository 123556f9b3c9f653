import html.parser
import json

import numpy as np
import pytest

from convnet_core.compare import report
from convnet_core.compare.judge import judge
from convnet_core.compare.measure import InputSet, measure
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig
from tests.compare.test_measure_and_judge import IMAGES, LABELS, Fake, flip


@pytest.fixture
def comparison():
    reference = Fake("pytorch")
    fakes = [reference, Fake("litert-int8", flip(0.1), "onnx-tf"), Fake("tensorflow", lambda y: y * np.nan, "onnx-tf")]
    measured = measure(reference, fakes, [InputSet(TEST, {"input": IMAGES}, LABELS)], (1, 130))
    return judge(measured, {(fake.name, fake.converter): 1234 for fake in fakes}, "pytorch", CompareConfig())


def test_report_json_has_every_promised_field(comparison):
    content = json.loads(json.dumps(report.report_of(comparison, "title", {"rtol": 1}).to_json(), allow_nan=False))
    assert content["verdict"] == "disagree"
    assert content["reference"] == "pytorch"
    assert {"rtol", "atol"} <= set(content["tolerance"])
    for item in content["runtimes"]:
        assert {"name", "converter", "passed", "bytes", "accuracy", "label_agreement", "max_abs_error"} <= set(item)
    for item in content["results"]:
        assert {
            "runtime",
            "inputs",
            "batch",
            "output",
            "max_abs_error",
            "mean_abs_error",
            "max_rel_error",
            "label_agreement",
            "accuracy",
            "passed",
        } <= set(item)
    assert content["environment"]["numpy"]
    assert content["config"] == {"rtol": 1}
    assert [item["name"] for item in content["runtimes"]] == ["pytorch", "litert-int8", "tensorflow"]


class PageReader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data):
        self.text += data


def read(comparison, title="title"):
    content = report.report_of(comparison, title, {})
    images = (IMAGES[:, 0] * 255).astype(np.uint8)
    page = report.to_html(content, comparison, images)
    reader = PageReader()
    reader.feed(page)
    return page, reader


def test_report_html_is_one_file_without_links_or_scripts(comparison):
    page, reader = read(comparison)
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert "script" not in reader.tags
    assert "http" not in page.replace("http-equiv", "")


def test_report_html_shows_verdict_histograms_and_differing_images(comparison):
    _, reader = read(comparison)
    assert "litert-int8 and tensorflow disagree with pytorch; 1 runtime agrees" in reader.text
    assert reader.tags.count("svg") == 2  # one for each measured runtime
    assert reader.tags.count("line") == 1, "tensorflow's tolerance; int8 is judged by its labels"
    assert reader.tags.count("img") == 13
    assert "13 of the test images" in reader.text
    assert "NaN" in reader.text


def test_html_in_the_title_is_escaped(comparison):
    page, reader = read(comparison, title="<script>alert(1)</script>")
    assert "<script>" not in page
    assert "<script>alert(1)</script>" in reader.text


def test_histograms_count_every_sample(comparison):
    for _, equal, bars, _ in report.histograms(comparison):
        assert equal + sum(bar.count for bar in bars) == 130


def test_report_md_has_a_line_for_each_runtime(comparison):
    text = report.to_markdown(report.report_of(comparison, "title", {}))
    assert "| litert-int8 | onnx-tf | **FAIL** test set, batch 130: 90.00 % equal labels" in text.replace(
        "90.00%", "90.00 %"
    )
    assert text.count("\n| ") == 5
