"""The examination of the machine in the app; tests/cli/test_cli.py tests the command."""

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from convnet_core import doctor


@pytest.fixture
def clock(monkeypatch):
    """A clock for `doctor` that only moves when the test sets it."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(doctor, "time", clock := Clock())
    return clock


@pytest.fixture
def processes(monkeypatch):
    """The real processes that the test starts."""
    started, popen = [], subprocess.Popen

    def start(*args, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return started


def test_examination_starts_at_the_first_check_after_a_second(clock, processes):
    examination = doctor.Examination()
    clock.now = 100.9
    assert examination.checks is None
    assert not processes
    clock.now = 101.0
    assert examination.checks is None
    assert len(processes) == 1
    deadline = time.monotonic() + 120
    while examination.checks is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {check.name for check in examination.checks} >= {"Python", "torch", "onnx"}
    assert len(processes) == 1


def test_closing_an_examination_ends_its_process(clock, processes):
    examination = doctor.Examination()
    clock.now = 101.0
    assert examination.checks is None
    examination.close()
    assert processes[0].returncode is not None
    doctor.Examination().close()  # one that has not started has nothing to end


def test_doctor_only_checks_libraries_meant_for_this_platform(monkeypatch):
    def names(platform, version):
        here = SimpleNamespace(platform=platform, version_info=version, executable=sys.executable)
        monkeypatch.setattr(doctor, "sys", here)
        return {check.name for check in doctor.examine()}

    here = names("linux", (3, 11, 7))
    assert {"torch", "uvloop", "httptools", "onnx-tf"} <= here
    assert here - names("win32", (3, 11, 7)) == {"uvloop"}
    assert "onnx-tf" not in names("linux", (3, 12, 1))
