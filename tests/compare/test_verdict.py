"""The verdict in words covers what was judged, and nothing else."""

import pytest

from convnet_core.compare.verdict import sentence


def line(name, passed=True, judged=True, reason=""):
    return {"name": name, "passed": passed, "judged": judged, "reason": reason}


@pytest.mark.parametrize(
    ("lines", "said"),
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
def test_the_sentence(lines, said):
    assert sentence({"reference": "a", "runtimes": lines}) == said


def test_what_could_not_be_made_is_named():
    report = {"reference": "a", "runtimes": [line("a"), line("b")], "not_made": ["c"]}
    assert sentence(report) == "2 runtimes agree; c was not made"
    assert sentence(report | {"not_made": ["c", "d"]}) == "2 runtimes agree; c and d were not made"
