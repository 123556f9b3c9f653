"""Damaged files of every kind that we read: a right answer or one clear line, the short form of `make soak`."""

import pytest

from testing.trials import fuzz
from testing.trials.lines import Line


@pytest.mark.slow
def test_no_damaged_file_is_more_than_a_clear_error():
    faults, counts = fuzz.run("plain", 240, flips=2800, examples=20)
    assert not faults, "\n".join(f"{fault.parser}: {fault.text} on {fault.file}" for fault in faults)
    assert all(counts[kind] for kind in ("cut", "odd", "flip", "structure"))


@pytest.mark.slow
def test_a_parser_that_crashes_hangs_or_raises_would_be_found():
    faults, counts = fuzz.run("self-test", 60, flips=3)
    said = {fault.parser: fault.text for fault in faults}
    assert "KeyError" in said.pop("raises")
    assert said.pop("crashes").startswith("crashed by signal 11")
    assert said.pop("hangs").startswith("hung")
    assert "MB" in said.pop("eats")
    assert not said
    assert counts["flip"]


@pytest.mark.slow
def test_the_guided_fuzzer_finds_a_parser_that_raises():
    pytest.importorskip("atheris")
    (fault,), _ = fuzz.run("guided", 10, names=("raises",))
    assert fault.kind == "guided"
    assert "KeyError" in fault.text


def test_a_trial_without_time_for_the_guided_fuzzer_says_so(monkeypatch):
    monkeypatch.setattr(fuzz, "run", lambda *_, **__: ([], {"cut": 1}))
    *_, guided = fuzz.trial(0)
    assert not guided.ok
    assert "not tried" in guided.found


def test_a_fault_makes_its_line_fail():
    fault = fuzz.Fault("IDX", "cut", "ValueError at mnist.py:1: bad", "b''", times=2)
    first, second = fuzz.lines([fault], {"cut": 7, "odd": 1})
    assert not first.ok
    assert "ValueError" in first.found
    assert second == Line(fuzz.KINDS["odd"], "1 files", "a right answer or one clear line", True)
