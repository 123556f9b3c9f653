"""The verdict sentence covers only the runtimes that were judged."""

import pytest

from convnet_core.compare.report_file import LabelTolerance, Report, RuntimeLine, Tolerance
from convnet_core.compare.verdict import basis, explanations, sentence


def line(name, passed=True, judged=True, reason=""):
    return RuntimeLine(name=name, passed=passed, judged=judged, reason=reason)


def report(lines, not_made=()):
    labels = LabelTolerance(label_agreement=1.0, accuracy_drop=0.0)
    tolerance = Tolerance(rtol=0.0, atol=0.0, rule="", fp16=labels, int8=labels)
    fields = {"reference": "a", "tolerance": tolerance, "runtimes": lines, "results": (), "not_made": not_made}
    return Report(title="", created="", verdict="", **fields)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("a"), line("b")], "2 runtimes agree"),
        ([line("a"), line("b"), line("c")], "all 3 runtimes agree"),
        ([line("a"), line("b", judged=False, reason="no labels")], "1 runtime agrees; b was not judged (no labels)"),
        (
            [line("a"), *(line(name, judged=False, reason="no labels") for name in "bcd")],
            "1 runtime agrees; b, c and d were not judged (no labels)",
        ),
        ([line("a"), line("b"), line("c", passed=False)], "c disagrees with a; 2 runtimes agree"),
        (
            [line("a", passed=False), line("b", passed=False), line("c", passed=False)],
            "a does not repeat its own answers; b and c disagree with a; 0 runtimes agree",
        ),
    ],
)
def test_verdict_sentence(lines, expected):
    assert sentence(report(lines)) == expected


def test_verdict_names_artifacts_that_were_not_made():
    lines = [line("a"), line("b")]
    assert sentence(report(lines, ["c"])) == "2 runtimes agree; c was not made"
    assert sentence(report(lines, ["c", "d"])) == "2 runtimes agree; c and d were not made"
    assert sentence(report([*lines, line("e")], ["c"])) == "3 runtimes agree; c was not made"


def test_the_sentence_names_what_was_made_after_the_comparison():
    lines = [line("a"), line("b"), line("c")]
    assert sentence(report(lines), ["onnx-tf"]) == "3 runtimes agree; what onnx-tf made was not compared"


def test_numbers_that_surprise_are_explained():
    """An error of 2.6 passes for int8, and the reference differs from itself."""
    lines = [
        RuntimeLine(name="a", passed=True, max_abs_error=3e-6),
        RuntimeLine(name="tensorflow", passed=True, max_abs_error=5e-6),
        RuntimeLine(name="litert-int8", passed=True, max_abs_error=2.6, label_agreement=0.9951),
        line("litert-fp16", judged=False, reason="no labels"),
    ]
    content = report(lines)
    assert [basis(content, item) for item in lines] == [
        "error ≤ 0 + 0 × output",
        "error ≤ 0 + 0 × output",
        "labels: 99.51 % equal, 100 % needed",
        "not judged: no labels",
    ]
    own, int8, unjudged = explanations(content)
    assert own.startswith("a differs from itself by up to 3.0e-06: with another batch size")
    assert "litert-int8 is judged by labels, not by the error" in int8
    assert "by up to 2.6, and 99.51 % of the labels stay the same" in int8
    assert unjudged == "litert-fp16 would be judged by labels, and these inputs have none."
    assert not explanations(report([line("a"), line("b")]))
