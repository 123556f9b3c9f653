"""Damaged files of every kind that we read give a correct result or one clear error; a short `make soak`."""

import pytest

from testing.trials import fuzz
from testing.trials.lines import Line


@pytest.mark.slow
def test_damaged_files_cause_nothing_worse_than_a_clear_error():
    faults, counts = fuzz.run("plain", 240, flips=2800, examples=20)
    assert not faults, "\n".join(f"{fault.parser}: {fault.text} on {fault.file}" for fault in faults)
    assert all(counts[kind] for kind in ("cut", "odd", "flip", "structure"))


@pytest.mark.slow
def test_the_fuzzer_detects_crashes_hangs_exceptions_and_memory_use():
    faults, counts = fuzz.run("self-test", 60, flips=3)
    messages = {fault.parser: fault.text for fault in faults}
    assert "KeyError" in messages.pop("raises")
    assert messages.pop("crashes").startswith("crashed by signal 11")
    assert messages.pop("hangs").startswith("hung")
    assert "MB" in messages.pop("eats")
    assert not messages
    assert counts["flip"]


@pytest.mark.slow
def test_the_guided_fuzzer_detects_a_parser_that_raises():
    pytest.importorskip("atheris")
    (fault,), _ = fuzz.run("guided", 10, names=("raises",))
    assert fault.kind == "guided"
    assert "KeyError" in fault.text


def test_a_trial_without_time_for_the_guided_fuzzer_fails_its_line(monkeypatch):
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
