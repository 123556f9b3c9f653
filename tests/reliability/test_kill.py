"""A killed training resumes to the same weights; `test_soak_kills.py` kills every stage at random moments."""

import json
import subprocess
import sys

import pytest

from convnet_core.common.files import digest
from convnet_core.runs.run import Run
from tests.conftest import ROOT, convnet

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
from convnet_core.cli.main import main
status = main(arguments)
print("steps", count)
sys.exit(status)
"""

_TRAIN = ["train", "--train-size", "600", "--test-size", "100", "--validation-size", "0", "--epochs", "2"]


def run_and_kill(run, limit):
    code = [sys.executable, "-c", _KILLED, str(run.path), str(limit), *_TRAIN, "--run", str(run.path)]
    return subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_training_killed_between_checkpoints_resumes_to_the_same_weights(tmp_path):
    whole_run, cut_run = Run.create(tmp_path / "whole"), Run.create(tmp_path / "cut")
    convnet(*_TRAIN, "--run", whole_run.path)
    done = run_and_kill(whole_run, 10**9)
    steps = int(done.stdout.rsplit("steps", 1)[1])
    for moment in range(steps // 3, steps, 4):
        if (cut_run.path / "checkpoint/stage.json").exists():
            break
        run_and_kill(cut_run, moment)
    assert cut_run.record("train") is None
    convnet("train", "--resume", "--run", cut_run.path)
    assert digest(cut_run.path / "train/model.safetensors") == digest(whole_run.path / "train/model.safetensors")
    assert json.loads((cut_run.path / "train/metrics.json").read_text())["test"]["test_accuracy"] > 0
