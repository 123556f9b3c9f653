"""`kill -9` at many moments of each stage: the run opens, each folder is the complete old or new one.

Every write of a stage goes through `Run.writing`, whose every step `test_runs.py` kills at; here the
real stages are killed, at the n-th thing that they do to a file or folder of the run.
"""

import json
import signal
import subprocess
import sys

import pytest

from convnet_core.files import digest
from convnet_core.runs import PIPELINE, Run
from tests.conftest import ROOT, convnet, copy_of

_KILLED = """
import os, signal, sys
folder, limit, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
count = 0
def watch(event, args):
    global count
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir") and folder in str(args[0]):
        count += 1
        if count == limit:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from convnet_core.cli import main
status = main(arguments)
print("steps", count)
sys.exit(status)
"""

_COMMANDS = {
    "train": ["train", "--train-size", "600", "--test-size", "100", "--validation-size", "0", "--epochs", "2"],
    "export": ["export"],
    "convert": ["convert", "--calibration-size", "10"],
    "compare": [
        "compare",
        "--samples",
        "5",
        "--batch-sizes",
        "64",
        "--int8-agreement",
        "0.9",
        "--int8-accuracy-drop",
        "0.1",
    ],
}


def started(run, command, limit):
    code = [sys.executable, "-c", _KILLED, str(run.path), str(limit), *_COMMANDS[command], "--run", str(run.path)]
    return subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=300)


def whole(run):
    """Every stage's folder holds just what its record says."""
    for stage in (*PIPELINE, "checkpoint"):
        record = run.record(stage)
        if record is None:
            assert not (run.path / stage).exists()
            continue
        for name, written in record.outputs.items():
            assert digest(run.path / stage / name) == written["sha256"], (stage, name)


@pytest.mark.slow
@pytest.mark.parametrize("command", _COMMANDS)
def test_killed_at_many_moments(finished_run, tmp_path, command):
    run = copy_of(finished_run, tmp_path)
    before = {stage: run.record(stage).outputs for stage in PIPELINE}
    done = started(run, command, 10**9)
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout.rsplit("steps", 1)[1])
    moments = sorted({round(steps * share) for share in (0.15, 0.5, 0.8, 0.95)} | {steps - 3})
    killed = 0
    for moment in moments:
        done = started(run, command, moment)
        killed += done.returncode == -signal.SIGKILL
        opened = Run.open(run.path)
        whole(opened)
        assert all(opened.record(stage) for stage in PIPELINE)
        names = [path.name for path in (*run.path.iterdir(), *(run.path / "convert").iterdir())]
        assert not [name for name in names if ".new-" in name or ".old-" in name]
    assert killed >= len(moments) - 1  # the last may come too late, as the number of steps varies a little
    assert all(set(opened.record(stage).outputs) == set(before[stage]) for stage in PIPELINE)


@pytest.mark.slow
def test_a_training_killed_between_checkpoints_resumes_to_the_same_weights(tmp_path):
    whole_run, cut_run = Run.create(tmp_path / "whole"), Run.create(tmp_path / "cut")
    convnet(*_COMMANDS["train"], "--run", whole_run.path)
    done = started(whole_run, "train", 10**9)
    steps = int(done.stdout.rsplit("steps", 1)[1])
    for moment in range(steps // 3, steps, 4):
        if (cut_run.path / "checkpoint/stage.json").exists():
            break
        started(cut_run, "train", moment)
    assert cut_run.record("train") is None
    convnet("train", "--resume", "--run", cut_run.path)
    assert digest(cut_run.path / "train/model.safetensors") == digest(whole_run.path / "train/model.safetensors")
    assert json.loads((cut_run.path / "train/metrics.json").read_text())["test"]["test_accuracy"] > 0
