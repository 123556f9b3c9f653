"""The stages of a run: writing, damage, changes, locking, and what becomes stale."""

import gc
import os
import subprocess
import sys
import weakref

import pytest

from convnet_core.errors import BusyError, RunError
from convnet_core.runs import run as runs
from convnet_core.runs.run import Run
from tests.conftest import ROOT
from tests.runs.stages import chain, states, write


def test_a_finished_stage_has_a_record(run):
    write(run, "train", "one")
    record = run.record("train")
    assert record.config == {"text": "one"}
    assert record.outputs["out.txt"]["bytes"] == 3
    assert record.outputs["out.txt"]["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert record.versions["python"]


def test_a_failed_stage_keeps_the_old_one_and_leaves_no_files(run):
    write(run, "train", "one")
    with pytest.raises(ZeroDivisionError), run.write_stage("train", {}) as draft:
        (draft.path / "out.txt").write_text("two")
        raise ZeroDivisionError
    assert (run.path / "train/out.txt").read_text() == "one"
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "run.json", "train"]


def test_states_follow_from_the_files(run):
    assert set(states(run).values()) == {"missing"}
    chain(run)
    assert set(states(run).values()) == {"fresh"}


def test_rewriting_a_stage_makes_all_later_stages_stale(run):
    chain(run)
    write(run, "train", "two")
    assert states(run) == {"train": "fresh", "export": "stale", "convert/native": "stale", "compare": "stale"}
    assert "train/out.txt has changed" in run.state("export").reason


def test_rewriting_identical_output_keeps_later_stages_fresh(run):
    chain(run)
    write(run, "train", "one")
    assert set(states(run).values()) == {"fresh"}


def test_a_manually_changed_file_makes_stages_stale(run):
    chain(run)
    path = run.path / "export/out.txt"
    path.write_text("two")
    assert states(run)["export"] == states(run)["compare"] == "stale"


def test_a_copied_run_is_still_fresh(run, tmp_path):
    chain(run)
    import shutil

    shutil.copytree(run.path, tmp_path / "copy", copy_function=shutil.copy)  # with new modification times
    assert set(states(Run.open(tmp_path / "copy")).values()) == {"fresh"}


def test_a_damaged_record_is_an_error_and_a_stale_stage(run):
    write(run, "train", "one")
    (run.path / "train/stage.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        run.require("train")
    assert run.state("train").state == "stale"


def test_a_record_is_cached_until_its_file_changes(run):
    write(run, "train", "one")
    first, path = run.require("train"), run.path / "train/stage.json"
    assert run.require("train") is first
    write(run, "train", "two")
    assert run.require("train").outputs != first.outputs
    reference = weakref.ref(first)
    del first
    gc.collect()
    assert reference() is None, "checkpoints are rewritten often, so only the newest record stays in memory"
    text, modified = path.read_text(), path.stat().st_mtime_ns
    path.write_text(text.replace("out.txt", "cut.txt"))  # in place, with the same size
    os.utime(path, ns=(modified, modified + 1))
    assert list(run.require("train").outputs) == ["cut.txt"]


def test_a_damaged_record_makes_later_stages_stale(run):
    chain(run)
    (run.path / "train/stage.json").write_text("{")
    assert set(states(run).values()) == {"stale"}
    assert "damaged" in run.state("export").reason


def test_a_newly_added_input_makes_a_stage_stale(run):
    write(run, "train", "one")
    with run.write_stage("compare", {}, ("train/out.txt",)) as draft:
        draft.inputs["convert/native"] = runs.ABSENT
    assert run.state("compare").state == "fresh"
    write(run, "convert/native", "one")
    assert run.state("compare").state == "stale"
    assert "has been added since" in run.state("compare").reason


def test_a_second_conversion_leaves_what_was_said_of_the_first_valid(run):
    write(run, "train", "one")
    write(run, "convert/native", "one")
    with run.write_stage("compare", {}, ("train/out.txt", "convert/native/out.txt")) as draft:
        draft.inputs["convert/onnx-tf"] = runs.ABSENT
    write(run, "convert/onnx-tf", "one")
    assert run.state("compare").state == "fresh"


def test_a_full_disk_is_a_clear_error_and_keeps_the_old_stage(run):
    write(run, "train", "one")
    with pytest.raises(RunError, match="cannot write"), run.write_stage("train", {}):
        raise OSError(28, "No space left on device", "model.pth")
    with pytest.raises(ConnectionResetError), run.write_stage("train", {}):
        raise ConnectionResetError  # unrelated to the disk, so not converted
    assert run.state("train").state == "fresh"


def test_a_missing_stage_names_its_command(run):
    with pytest.raises(RunError) as caught:
        run.require("export")
    assert "python -m convnet_core export" in caught.value.hint


def test_a_locked_run_refuses_a_second_writer(run):
    code = f"""
from pathlib import Path
from convnet_core.runs.run import Run
with Run(Path({str(run.path)!r})).lock():
    print("locked", flush=True)
    input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"locked\n"
    with pytest.raises(BusyError), run.lock(timeout=0.1):
        pass
    holder.kill()
    holder.communicate()
    with run.lock(timeout=60):  # the lock is released when its holder dies
        pass
