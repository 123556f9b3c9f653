"""The command `app`: which processes it starts before the server."""

import os
import subprocess

import pytest

from convnet_core.cli.main import main
from convnet_core.errors import Stopped
from tests.conftest import copy_of


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Run the command on `tmp_path` with a pipeline that ends with `status`; returns its status and what it started.

    `interrupts` is how often the user presses Ctrl-C before the pipeline has ended.
    """

    def serve(*flags, status=0, interrupts=0):
        started = []

        class Pipeline:
            def __init__(self, command, **_):
                started.append(command[3])
                self.interrupts = interrupts

            def wait(self):
                self.interrupts -= 1
                if self.interrupts >= 0:
                    raise KeyboardInterrupt
                return status

        def execute(program, command, env):
            started.append(command[2])
            raise SystemExit(0)

        monkeypatch.setattr(subprocess, "Popen", Pipeline)
        monkeypatch.setattr(os, "execve", execute)
        try:
            return main(["app", "--port", "0", "--runs", str(tmp_path), *flags]), started
        except SystemExit as end:
            return end.code, started

    return serve


def test_without_a_verdict_it_makes_a_sample_run_for_every_page_and_serves_even_if_that_fails(serve):
    assert serve() == (0, ["pipeline", "dissect", "benchmark", "streamlit"])
    assert serve(status=2) == (0, ["pipeline", "streamlit"])


def test_with_a_verdict_or_without_a_sample_it_serves_at_once(serve, tmp_path, finished_run):
    assert serve("--no-sample") == (0, ["streamlit"])
    run = copy_of(finished_run, tmp_path)
    assert serve() == (0, ["streamlit"])
    (run.path / "export/model.onnx").unlink()
    assert serve() == (0, ["pipeline", "dissect", "benchmark", "streamlit"])


def test_a_stopped_sample_run_stops_the_command(serve):
    assert serve(status=Stopped.exit_status) == (3, ["pipeline"])


def test_ctrl_c_waits_for_the_sample_run_and_names_the_way_without_it(serve, capsys):
    assert serve(status=Stopped.exit_status, interrupts=2) == (3, ["pipeline"])
    assert "--no-sample" in capsys.readouterr().err
