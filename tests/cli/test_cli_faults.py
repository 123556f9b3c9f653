"""The command line when things go wrong: signals, closed pipes, stale or missing files, missing libraries."""

import json
import subprocess
import sys

import pytest
import torch

from convnet_core.config.stages import ModelConfig
from convnet_core.networks.convnet import build
from tests.conftest import ROOT, convnet
from tests.support.commands import LOOSE
from tests.support.marks import few_quick

_SIGNALED = """
import os, signal, sys
from convnet_core.cli.main import main
from convnet_core.jobs.job import Job
ready, emit = sys.argv[1], Job.emit
def emit_and_signal(job, event):
    emit(job, event)
    if ready in str(event):
        os.kill(os.getpid(), signal.SIGTERM)
Job.emit = emit_and_signal
sys.exit(main(sys.argv[2:]))
"""
"""A command that gets SIGTERM as soon as its job emits an event that contains the text `ready`."""


@pytest.mark.parametrize(
    ("command", "ready"),
    few_quick([("export", "exporting"), ("convert", "tflite"), ("compare", "comparing")], ("convert", "tflite")),
)
def test_a_signal_stops_a_stage_and_keeps_the_old_one(run, command, ready):
    before = run.record("compare").created
    code = [sys.executable, "-c", _SIGNALED, ready, command, "--run", run.path]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 3, done.stderr
    (job,) = run.path.glob("jobs/*/job.json")
    assert json.loads(job.read_text())["state"] == "stopped"
    assert run.record("compare").created == before
    assert run.state("compare").state == "fresh"
    assert run.record("compare").result["verdict"] == "agree"


@pytest.mark.slow
def test_a_closed_output_pipe_changes_nothing(run):
    shell = f"{sys.executable} -m convnet_core compare --run {run.path} --batch-sizes 64 {' '.join(LOOSE)}"
    for pipe in ("2>&1 | true", "| true"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {shell} {pipe}; echo ${{PIPESTATUS[0]}}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == "0"
        assert json.loads(max(run.path.glob("jobs/*/job.json")).read_text())["state"] == "done"


def test_data_flags_of_later_stages_default_to_the_data_of_the_run(run):
    # int8 may misread more of only 100 images, so any exit status is accepted.
    convnet("compare", "--run", run.path, "--test-size", 100, *LOOSE, "--batch-sizes", "64", check=None)
    report = json.loads((run.path / "compare/report.json").read_text())
    assert {item["samples"] for item in report["results"] if item["inputs"] == "test set"} == {100}
    assert report["config"]["data"] == "strokes"


def test_comparing_stale_stages_gives_a_warning(run):
    (run.path / "train/model.safetensors").write_bytes(b"another")
    done = convnet("compare", "--run", run.path, *LOOSE, "--batch-sizes", "64")
    assert "warning: export is out of date" in done.stderr
    assert "export is out of date" in (run.path / "compare/report.html").read_text()
    assert run.state("compare").state == "stale"


def test_a_missing_artifact_is_named_with_its_command(run):
    (run.path / "convert/native/frozen.pb").unlink()
    done = convnet("compare", "--run", run.path, check=2)
    assert "frozen.pb is missing" in done.stderr
    assert "convnet_core convert" in done.stderr


def test_doctor_works_without_the_libraries():
    code = """
import sys
for name in ("rich", "torch", "filelock", "jinja2", "numpy", "PIL"):
    sys.modules[name] = None
from convnet_core.cli.main import main
sys.exit(main([sys.argv[1]]))
"""
    done = subprocess.run([sys.executable, "-c", code, "doctor"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "fix:" in done.stdout
    done = subprocess.run([sys.executable, "-c", code, "train"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "a library is missing" in done.stderr
    assert "doctor" in done.stderr


def test_brackets_in_paths_are_printed_literally(tmp_path):
    torch.save(build(ModelConfig(channels=4), seed=0).state_dict(), tmp_path / "w.pth")
    run = tmp_path / "a[b] [/c]"
    done = convnet("export", "--weights", tmp_path / "w.pth", "--run", run)
    assert f"{run}/export/model.onnx" in done.stdout
