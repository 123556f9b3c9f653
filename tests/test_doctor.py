"""The look at this machine that the app takes; the command is in test_cli."""

import time

import pytest

from convnet_core import doctor


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set; for `doctor` alone."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(doctor, "time", clock := Clock())
    return clock


def test_an_examination_begins_with_the_first_question_after_a_second(clock):
    seen = doctor.Examination()
    clock.now = 100.9
    assert seen.checks is None
    assert seen._process is None
    clock.now = 101.0
    assert seen.checks is None
    process = seen._process
    deadline = time.monotonic() + 120
    while seen.checks is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {check.name for check in seen.checks} >= {"Python", "torch", "onnx"}
    assert seen._process is process


def test_each_library_is_asked_for_where_it_is_meant_for(monkeypatch):
    here = dict(doctor._pins())
    assert {"torch", "uvloop", "httptools"} <= here.keys()
    monkeypatch.setattr(doctor.sys, "platform", "win32")
    assert here.keys() - dict(doctor._pins()).keys() == {"uvloop"}
    monkeypatch.setattr(doctor.sys, "version_info", (3, 12, 1))
    assert "onnx-tf" not in dict(doctor._pins())
