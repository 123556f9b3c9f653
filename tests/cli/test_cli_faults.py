"""The command line when things go wrong: signals, readers that leave, stale or missing files, missing libraries."""

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
"""A command that is sent a signal as soon as its job has told of `ready`: as if by somebody who is quick enough."""


@pytest.mark.parametrize(
    ("command", "ready"),
    few_quick([("export", "exporting"), ("convert", "tflite"), ("compare", "comparing")], ("convert", "tflite")),
)
def test_a_signal_stops_a_real_stage_and_the_old_one_stays(run, command, ready):
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
def test_a_reader_that_goes_away_changes_nothing(run):
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


def test_data_flags_of_later_stages_start_from_the_runs_own_data(run):
    # Of 100 images int8 may misread a few more; what it was compared on counts.
    convnet("compare", "--run", run.path, "--test-size", 100, *LOOSE, "--batch-sizes", "64", check=None)
    report = json.loads((run.path / "compare/report.json").read_text())
    assert {item["samples"] for item in report["results"] if item["inputs"] == "test set"} == {100}
    assert report["config"]["data"] == "strokes"


def test_a_comparison_of_stale_stages_says_so(run):
    (run.path / "train/model.safetensors").write_bytes(b"another")
    done = convnet("compare", "--run", run.path, *LOOSE, "--batch-sizes", "64")
    assert "warning: export is stale" in done.stderr
    assert "export is stale" in (run.path / "compare/report.html").read_text()
    assert run.state("compare").state == "stale"


def test_a_missing_artefact_is_named_with_the_command_that_makes_it(run):
    (run.path / "convert/native/frozen.pb").unlink()
    done = convnet("compare", "--run", run.path, check=2)
    assert "frozen.pb is missing" in done.stderr
    assert "convnet_core convert" in done.stderr


def test_doctor_works_where_libraries_are_missing():
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


def test_odd_characters_in_paths_are_shown_as_they_are(tmp_path):
    torch.save(build(ModelConfig(channels=4), seed=0).state_dict(), tmp_path / "w.pth")
    run = tmp_path / "a[b] [/c]"
    done = convnet("export", "--weights", tmp_path / "w.pth", "--run", run)
    assert f"{run}/export/model.onnx" in done.stdout
