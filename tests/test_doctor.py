"""The look at this machine that the app takes; the command is in test_cli."""

import subprocess
import sys
import time
from types import SimpleNamespace

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


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, which are real ones."""
    processes, start = [], subprocess.Popen

    def noted(*args, **options):
        processes.append(start(*args, **options))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    return processes


def test_an_examination_begins_with_the_first_question_after_a_second(clock, started):
    examination = doctor.Examination()
    clock.now = 100.9
    assert examination.checks is None
    assert not started
    clock.now = 101.0
    assert examination.checks is None
    assert len(started) == 1
    deadline = time.monotonic() + 120
    while examination.checks is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {check.name for check in examination.checks} >= {"Python", "torch", "onnx"}
    assert len(started) == 1


def test_each_library_is_asked_for_where_it_is_meant_for(monkeypatch):
    def names(platform, version):
        here = SimpleNamespace(platform=platform, version_info=version, executable=sys.executable)
        monkeypatch.setattr(doctor, "sys", here)
        return {check.name for check in doctor.examine()}

    here = names("linux", (3, 11, 7))
    assert {"torch", "uvloop", "httptools", "onnx-tf"} <= here
    assert here - names("win32", (3, 11, 7)) == {"uvloop"}
    assert "onnx-tf" not in names("linux", (3, 12, 1))
