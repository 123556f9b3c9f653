"""The verdict sentence covers only the runtimes that were judged."""

import pytest

from convnet_core.compare.report_file import LabelTolerance, Report, RuntimeLine, Tolerance
from convnet_core.compare.verdict import sentence


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
