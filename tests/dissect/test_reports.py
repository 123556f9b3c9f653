"""The dissection's report: both graphs, the node map, weight layouts, all measurements, samples that could flip."""

import dataclasses
import json
import math
import re

import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import DissectConfig
from convnet_core.convert.node_map_file import ConvertedTensor, ConvertedWeight, NodeMapEntry, TensorFlowOp
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.dissection import Dissection
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import BatchResult, Weight
from convnet_core.dissect.report import content, documents, svg_graph, tables, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.stages.dissect import run_dissect
from tests.conftest import convnet, copy_of


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    run = copy_of(finished_run, tmp_path_factory.mktemp("reported"))
    run_dissect(run, DissectConfig(steps=1, images=200), Monitor())
    return run


@pytest.fixture(scope="module")
def report(run):
    return documents.load(run)


def test_the_report_maps_each_node_to_its_ops_with_names_and_shapes(report):
    lines = tables.node_map(report)
    first = next(line for line in lines if line["ONNX"].startswith("Conv-"))
    conv = next(line for line in lines if line["TensorFlow"] == "Conv2D")
    assert (conv["node"], conv["shapes"]) == (first["node"], "n × 28 × 28 × 16")
    assert conv["name"] in {op.name for entry in report.entries for op in entry.ops}
    assert "CONV_2D n × 28 × 28 × 16 (one with node_relu)" in first["LiteRT"]
    assert {line["node"] for line in lines} == {entry.name for entry in report.entries}


def test_graph_nodes_in_the_page_link_to_their_table_rows(run, report):
    page = (run.path / "dissect/report.html").read_text()
    assert '1e-8 <span class="scale" style="background: linear-gradient(to right, rgb(158, 202, 225)' in page
    first, second = re.findall(r"<svg role=.*?</svg>", page, re.DOTALL)
    for place, entry in enumerate(report.entries):
        assert f'id="n{place}"><td>{entry.name}' in page
        assert f'href="#n{place}" class="n{place}"' in first
        assert f"body:has(#n{place}:target) .n{place} circle" in page
    assert 'href="#n0" class="n0"' in second
    assert "Conv2D" in second
    assert "<script" not in page


def test_both_reports_contain_every_measurement(run, report):
    lines = tables.values(report)
    assert len(lines) == sum(len(node.runtimes) for node in report.nodes)
    assert all(line["cosine"].startswith(("1.0000", "0.99")) for line in lines if not line["runtime"].endswith("int8"))
    for name in ("report.html", "report.md"):
        text = (run.path / "dissect" / name).read_text()
        for expected in ("mean error", "cosine", "× noise", "O: 0 → 3", "could flip", "█"):
            assert expected in text, (name, expected)


def test_a_lesson_is_labeled_and_leaves_everything_else_as_it_is(run, report):
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    run_dissect(run, DissectConfig(lesson="not-scaled", steps=0, images=50), Monitor())
    assert before == {path: path.read_bytes() for path in before}
    assert documents.load(run) == report
    assert "Lesson" not in (run.path / "dissect/report.html").read_text()
    title = f"Lesson: not-scaled, on a copy of {report.title}"
    for name in ("report.html", "report.md", "dissection.json"):
        assert title in (run.path / "lessons/not-scaled" / name).read_text()
    page = (run.path / "lessons/not-scaled/report.html").read_text()
    assert f"<title>{title}" in page
    assert "Lesson: pixels not scaled to [0, 1], in a copy of the run. The run itself is unchanged" in page
    assert run.state("dissect").state == run.state("lessons/not-scaled").state == "fresh"
    assert run.command_for("lessons/not-scaled").endswith("--lesson not-scaled")


def small_report(entries=(), sweep=()):
    dissection = Dissection([], entries, [], [], [], {}, sweep, [], ["onnxruntime"])
    return content.report_of(dissection, "", DissectConfig())


def test_a_report_survives_json(run, report):
    stored = read_json(run.path / "dissect/dissection.json")
    assert report.to_json() == stored
    assert DissectionReport.from_json(stored) == report
    infinite = dataclasses.replace(report, sweep=(BatchResult("tensorflow", 1, (1,), error=math.inf),))
    assert DissectionReport.from_json(json.loads(json.dumps(infinite.to_json(), allow_nan=False))) == infinite


def test_only_answers_within_rounding_get_a_check_mark():
    def cell(runtime, error, fault=""):
        return tables.sweep(small_report(sweep=(BatchResult(runtime, 1, (1,), fault, error),)))[0]["1"]

    assert cell("onnxruntime", None) == "✓"
    assert cell("tensorflow", 2e-7) == "✓ 2e-07"
    assert cell("tensorflow", 0.8) == "≠ 8e-01"
    assert cell("tensorflow", math.nan) == "≠ nan"
    assert cell("litert-int8", 0.05) == "5e-02"
    assert cell("tensorflow", 0.8, "the batch is frozen") == "✗ the batch is frozen"


def test_text_histogram_heights_follow_the_counts():
    assert tables.bars([0, 1, 1000]) == "·▁█"
    assert tables.bars([0, 0]) == "··"


def test_samples_that_could_flip_are_named_with_their_margins_and_shown(run, report):
    labels = report.labels["litert-int8"]
    assert labels.could_flip > 0
    assert f"no. {labels.closest[0]} ({labels.margins[0]:.2g})" in tables.could_flip_text(labels)
    assert str(labels.closest[0]) in report.samples
    assert "data:image/png;base64,iVBOR" in (run.path / "dissect/report.html").read_text()
    flipped = dataclasses.replace(labels, flipped=3, examples=(7, 9), answers=((4, 9), (1, 7)))
    assert tables.flipped_text(flipped) == ": no. 7 (4 → 9), no. 9 (1 → 7) and 1 more"


def test_the_command_prints_more_than_the_table(run, tmp_path):
    run = copy_of(run, tmp_path)  # the others read the first dissection, in any order
    output = convnet("dissect", "--run", run.path, "--steps", 1, "--images", 50).stdout
    for text in (
        "CONV_2D",
        "No transposes in TensorFlow",
        "labels of litert-int8",
        "could flip",
        "batch sizes 1, 2, 7",
    ):
        assert text in output, text


def weight(shape, there, **place):
    return Weight("w", "n", shape, there, ConvertedWeight("w", **place), 0.0)


def test_kernel_dimensions_are_lettered_by_operator():
    text = weight_layouts.describe_move(weight([8, 4, 3, 3], [3, 3, 4, 8], perm=[3, 2, 0, 1]), "ConvTranspose")
    assert text == "IOHW [8, 4, 3, 3] → HWOI [3, 3, 4, 8] (I: 0 → 3, O: 1 → 2, H: 2 → 0, W: 3 → 1)"
    assert weight_layouts.describe_move(weight([4, 8, 5], [5, 8, 4], perm=[2, 1, 0]), "Conv").startswith(
        "OIW [4, 8, 5] → WIO"
    )
    assert (
        weight_layouts.describe_move(weight([2, 3], [3, 2], perm=[1, 0]), "Gemm")
        == "[2, 3] → [3, 2] (2: 0 → 1, 3: 1 → 0)"
    )
    assert weight_layouts.describe_move(weight([2, 3], [2, 3]), "Gemm") == "[2, 3]: as it is"


def test_a_permutation_behind_a_flatten_is_described():
    text = weight_layouts.describe_move(weight([10, 12], [12, 10], perm=[3, 2, 0, 1], split=[2, 2, 3]), "Gemm")
    assert text.startswith("[10, 12] → [12, 10], where 3 × 2 × 2 flattened become 2 × 2 × 3 (10: 0 → 3, 3: 1 → 2")


def test_arrows_link_each_dimension_to_its_new_position():
    svg = weight_layouts.draw_arrows(weight([16, 1, 3, 3], [3, 3, 1, 16], perm=[3, 2, 0, 1]), "Conv")
    assert svg.count("<line") == 4
    assert re.findall(r">([A-Z])</text>", svg) == [*"OIHW", *"HWIO"]
    assert weight_layouts.draw_arrows(weight([2], [2]), "Conv") == ""


def test_error_colors_go_from_blue_at_rounding_to_red():
    assert svg_graph.error_color(None) == "#bbbbbb"
    assert (svg_graph.error_color(0.0), svg_graph.error_color(1e-8), svg_graph.error_color(1.0)) == (
        "#9ecae1",
        "#9ecae1",
        "#d7301f",
    )
    assert svg_graph.error_color(float("inf")) == "#d7301f"


@pytest.mark.parametrize("name", ["x/../../../secret", "/etc/passwd", "..", "a\\b", "a\n", "", 7, None, ["x"]])
def test_a_runtime_name_that_could_be_a_path_is_refused(run, tmp_path, name):
    hostile = copy_of(run, tmp_path)
    path = hostile.path / "dissect/dissection.json"
    stored = read_json(path)
    write_json(path, {**stored, "runtimes": [*stored["runtimes"], name]})
    with pytest.raises(RunError, match=r"is not a valid name for a runtime|runtimes must be str"):
        documents.load(hostile)


def test_names_are_escaped_in_the_page(report):
    hostile = "<script>alert('1')</script>"
    entry, node = report.entries[0], report.nodes[0]
    weight = dataclasses.replace(report.weights[0], name=hostile)
    picture = report.pictures.onnx
    shape = dataclasses.replace(picture.nodes[0], id=hostile, label=hostile)
    page = documents.to_html(
        dataclasses.replace(
            report,
            title=hostile,
            findings=(Finding("born", hostile, hostile),),
            entries=(dataclasses.replace(entry, name=hostile), *report.entries[1:]),
            nodes=(dataclasses.replace(node, name=hostile), *report.nodes[1:]),
            weights=(weight, *report.weights[1:]),
            samples={hostile: hostile},
            pictures=dataclasses.replace(
                report.pictures, onnx=dataclasses.replace(picture, nodes=(shape, *picture.nodes[1:]))
            ),
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 10


def test_a_headline_ends_with_one_period(report):
    wrong = dataclasses.replace(report, findings=(Finding("born", "Born here.", ""),))
    assert content.headline(wrong) == "Born here"
    assert "<p>Born here.</p>" in documents.to_html(wrong)


def entry(name, op_type, inputs, outputs, became="ops", perm=(), ops=()):
    tensors = [ConvertedTensor(f"{out}:0", constant=False, place=TensorLocation(out, perm)) for out in outputs]
    tf_ops = [TensorFlowOp(f"{name}/{place}", "Transpose", perm=order) for place, order in enumerate(ops)]
    return NodeMapEntry(name, op_type, 18, inputs, outputs, tf_ops, tensors, became=became)


def test_each_transpose_is_explained():
    entries = [
        entry("own", "Transpose", ["a"], ["t"], became="layout"),
        entry("relu", "Relu", ["t"], ["r"], perm=(0, 2, 1)),
        entry("product", "MatMul", ["r", "k"], ["p"], ops=[[0, 2, 1]]),
        entry("turn", "Transpose", ["p"], ["q"], ops=[[1, 0, 2]]),
        entry("conv", "Conv", ["b", "w"], ["y"], ops=[[0, 2, 3, 1], [2, 3, 1, 0]]),
    ]
    report = small_report(entries=entries)
    assert [(item.node, item.what) for item in report.transposes] == [
        ("product", "the model's own and what MatMul needs"),
        ("turn", "the model's own"),
        ("conv", "the layout that Conv needs"),
        ("conv", "the kernel of Conv"),
    ]
    assert content.transposes(report).startswith("4 transposes in TensorFlow: 1 for the model's own and what MatMul")
