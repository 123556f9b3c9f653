"""A process killed while writing leaves either the old stage or the new one, complete."""

import os
import signal
import subprocess
import sys

import pytest

from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
from tests.conftest import ROOT
from tests.runs.stages import write

# Kills the process at its n-th operation on a file or folder of the run.
_KILL_AT = """
import os, signal, sys
from pathlib import Path
from convnet_core.runs.run import Run
run, limit = Run(Path(sys.argv[1])), int(sys.argv[2])
count = 0
def watch(event, args):
    global count
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.scandir", "shutil.rmtree"):
        if str(run.path) in str(args[0]):
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
with run.lock():
    run.recover()
    with run.write_stage("train", {"text": "new"}) as draft:
        (draft.path / "a.txt").write_text("new")
        (draft.path / "b.txt").write_text("new")
"""


def test_a_kill_at_any_step_of_a_write_leaves_the_old_or_the_new_folder(tmp_path):
    run = Run.create(tmp_path / "run")
    outcomes = set()
    for limit in range(1, 200):
        with run.lock(), run.write_stage("train", {"text": "old"}) as draft:
            (draft.path / "a.txt").write_text("old")
            (draft.path / "b.txt").write_text("old")
        done = subprocess.run([sys.executable, "-c", _KILL_AT, str(run.path), str(limit)], cwd=ROOT, check=False)
        between = not (run.path / "train").exists()
        recovered = Run.open(run.path)
        text = recovered.record("train").config["text"]
        assert {(run.path / "train" / name).read_text() for name in ("a.txt", "b.txt")} == {text}
        assert recovered.state("train").state == "fresh"
        assert not [path.name for path in run.path.iterdir() if ".new-" in path.name or ".old-" in path.name]
        outcomes.add((text, between))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    else:
        pytest.fail("the write never ended")
    assert outcomes == {("old", False), ("new", True), ("new", False)}  # including kills between the two renames


def test_an_interrupted_recovery_is_completed_at_the_next_start(tmp_path):
    run = Run.create(tmp_path / "run")
    write(run, "train", "old")
    os.replace(run.path / "train", run.path / "train.old-aa")  # a swap interrupted between its two renames
    write(run, "export", "x")
    os.replace(run.path / "export", run.path / "export.new-bb")  # a first write that was never moved into place
    recovered = Run.open(run.path)
    assert recovered.record("train").config == {"text": "old"}
    assert recovered.state("export").state == "missing"


def test_a_lesson_killed_while_writing_leaves_nothing(run):
    (run.path / "lessons/epsilon.new-aa").mkdir(parents=True)
    assert not list((Run.open(run.path).path / "lessons").iterdir())


def test_files_left_by_killed_jobs_are_removed_at_the_next_start(run):
    write(run, "export", "x")
    leftovers = [run.path / name for name in (".run.json.0a", "jobs/one/.job.json.0b", "upload/theirs.onnx")]
    for path in leftovers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    recent = run.path / "jobs/one/.job.json.0c"
    recent.touch()
    with open_job(run, "convert"):
        pass
    assert not [path for path in leftovers if path.exists()]
    assert recent.exists(), "another process may still be writing it"
