import errno
import gc
import json
import os
import signal
import subprocess
import sys
import weakref

import filelock
import pytest

from convnet_core.cli.main import main
from convnet_core.errors import BusyError, RunError
from convnet_core.jobs.job import open_job
from convnet_core.runs import library
from convnet_core.runs import run as runs
from convnet_core.runs.run import Run
from tests.conftest import ROOT


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")


def write(run, stage, text, inputs=()):
    with run.lock(), run.write_stage(stage, {"text": text}, inputs) as draft:
        (draft.path / "out.txt").write_text(text)


def chain(run, text="one"):
    write(run, "train", text)
    write(run, "export", text, ("train/out.txt",))
    write(run, "convert/native", text, ("export/out.txt",))
    write(run, "compare", text, ("export/out.txt", "convert/native/out.txt"))


def states(run):
    return {stage: run.state(stage).state for stage in runs.PIPELINE}


def test_a_finished_stage_is_there_with_its_record(run):
    write(run, "train", "one")
    record = run.record("train")
    assert record.config == {"text": "one"}
    assert record.outputs["out.txt"]["bytes"] == 3
    assert record.outputs["out.txt"]["sha256"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert record.versions["python"]


def test_a_stage_that_fails_leaves_the_old_one_and_no_leftover(run):
    write(run, "train", "one")
    with pytest.raises(ZeroDivisionError), run.write_stage("train", {}) as draft:
        (draft.path / "out.txt").write_text("two")
        raise ZeroDivisionError
    assert (run.path / "train/out.txt").read_text() == "one"
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "run.json", "train"]


def test_states_are_derived(run):
    assert set(states(run).values()) == {"missing"}
    chain(run)
    assert set(states(run).values()) == {"fresh"}


def test_what_follows_a_new_stage_is_stale_to_the_end(run):
    chain(run)
    write(run, "train", "two")
    assert states(run) == {"train": "fresh", "export": "stale", "convert/native": "stale", "compare": "stale"}
    assert "train/out.txt has changed" in run.state("export").reason


def test_the_same_output_again_keeps_what_follows_fresh(run):
    chain(run)
    write(run, "train", "one")
    assert set(states(run).values()) == {"fresh"}


def test_a_file_changed_by_hand_is_noticed(run):
    chain(run)
    path = run.path / "export/out.txt"
    path.write_text("two")
    assert states(run)["export"] == states(run)["compare"] == "stale"


def test_a_copied_run_is_still_fresh(run, tmp_path):
    chain(run)
    import shutil

    shutil.copytree(run.path, tmp_path / "copy", copy_function=shutil.copy)  # new times of change
    assert set(states(Run.open(tmp_path / "copy")).values()) == {"fresh"}


def test_a_damaged_record_is_an_error_in_words_and_a_stale_stage(run):
    write(run, "train", "one")
    (run.path / "train/stage.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        run.require("train")
    assert run.state("train").state == "stale"


def test_a_record_is_read_again_when_its_file_is_another_one(run):
    write(run, "train", "one")
    first, path = run.require("train"), run.path / "train/stage.json"
    assert run.require("train") is first
    write(run, "train", "two")
    assert run.require("train").outputs != first.outputs
    forgotten = weakref.ref(first)
    del first
    gc.collect()
    assert forgotten() is None, "a checkpoint's record is written again and again: the newest alone stays in memory"
    text, written = path.read_text(), path.stat().st_mtime_ns
    path.write_text(text.replace("out.txt", "cut.txt"))  # in place, and of the same size
    os.utime(path, ns=(written, written + 1))
    assert list(run.require("train").outputs) == ["cut.txt"]


def test_a_damaged_record_ahead_makes_what_follows_stale(run):
    chain(run)
    (run.path / "train/stage.json").write_text("{")
    assert set(states(run).values()) == {"stale"}
    assert "damaged" in run.state("export").reason


def test_what_was_made_since_makes_what_did_without_it_stale(run):
    write(run, "train", "one")
    with run.write_stage("compare", {}, ("train/out.txt",)) as draft:
        draft.inputs["convert/native"] = runs.ABSENT
    assert run.state("compare").state == "fresh"
    write(run, "convert/native", "one")
    assert run.state("compare").state == "stale"
    assert "has been added since" in run.state("compare").reason


def test_a_full_disk_is_a_clear_error_and_the_old_stage_is_whole(run):
    write(run, "train", "one")
    with pytest.raises(RunError, match="cannot write"), run.write_stage("train", {}):
        raise OSError(28, "No space left on device", "model.pth")
    with pytest.raises(ConnectionResetError), run.write_stage("train", {}):
        raise ConnectionResetError  # not about the folder, and not called so
    assert run.state("train").state == "fresh"


def test_a_missing_stage_names_the_command_that_makes_it(run):
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
    holder.wait()
    with run.lock(timeout=60):  # the lock dies with its holder
        pass


# Kills the process at the n-th thing that it does to a file or folder of the run.
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


def test_killed_at_every_step_of_a_write_the_old_or_the_new_folder_is_whole(tmp_path):
    run = Run.create(tmp_path / "run")
    seen = set()
    for limit in range(1, 200):
        with run.lock(), run.write_stage("train", {"text": "old"}) as draft:
            (draft.path / "a.txt").write_text("old")
            (draft.path / "b.txt").write_text("old")
        done = subprocess.run([sys.executable, "-c", _KILL_AT, str(run.path), str(limit)], cwd=ROOT, check=False)
        between = not (run.path / "train").exists()
        opened = Run.open(run.path)
        text = opened.record("train").config["text"]
        assert {(run.path / "train" / name).read_text() for name in ("a.txt", "b.txt")} == {text}
        assert opened.state("train").state == "fresh"
        assert not [path.name for path in run.path.iterdir() if ".new-" in path.name or ".old-" in path.name]
        seen.add((text, between))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    else:
        pytest.fail("the write never ended")
    assert seen == {("old", False), ("new", True), ("new", False)}  # between the two renames, too


def test_killed_while_recovering_the_next_start_recovers(tmp_path):
    run = Run.create(tmp_path / "run")
    write(run, "train", "old")
    os.replace(run.path / "train", run.path / "train.old-aa")  # a swap cut between its renames, nothing new
    write(run, "export", "x")
    os.replace(run.path / "export", run.path / "export.new-bb")  # a first write that was never swapped in
    opened = Run.open(run.path)
    assert opened.record("train").config == {"text": "old"}
    assert opened.state("export").state == "missing"


def test_a_lesson_that_was_killed_while_it_was_written_leaves_nothing(run):
    (run.path / "lessons/epsilon.new-aa").mkdir(parents=True)
    assert not list((Run.open(run.path).path / "lessons").iterdir())


def test_what_killed_jobs_left_is_gone_after_the_next_start(run):
    write(run, "export", "x")
    left = [run.path / name for name in (".run.json.0a", "jobs/one/.job.json.0b", "upload/theirs.onnx")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    young = run.path / "jobs/one/.job.json.0c"
    young.touch()
    with open_job(run, "convert"):
        pass
    assert not [path for path in left if path.exists()]
    assert young.exists(), "somebody may be at work on it"


def test_names_with_path_tricks_are_refused(run):
    for name in ("../up", "a/b", "", ".hidden", "x" * 200, "a\nb", "ok\n"):
        with pytest.raises(RunError, match="is not a valid name"):
            library.rename_run(run, name)
    renamed = library.rename_run(run, "Zürich 2")
    assert renamed.name == renamed.info["title"] == "Zürich 2"


def test_a_name_is_as_long_as_it_is_on_disk(run):
    assert library.rename_run(run, "名" * 60).name == "名" * 60
    with pytest.raises(RunError, match="too long for a folder: 300 bytes, at most 200"):
        library.rename_run(Run(run.path.with_name("名" * 60)), "名" * 100)


def test_a_run_cannot_be_made_or_found_where_the_name_is_too_long(tmp_path, capsys):
    long = tmp_path / ("名" * 100)
    with pytest.raises(RunError, match=r"cannot create the run .*File name too long"):
        Run.create(long)
    for looks in (Run.open, lambda path: library.find_run(tmp_path, path), library.list_runs):
        with pytest.raises(RunError, match="cannot be read: File name too long"):
            looks(long)
    for command in ("train", "compare", "pack"):
        assert main([command, "--run", str(long)]) == 2
        assert "File name too long" in capsys.readouterr().err
    made = library.new_run(tmp_path, "x" * 300)
    assert len(made.name) < 100


def test_a_read_only_root_is_an_error_in_words(run, monkeypatch):
    def refused(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "rename", refused)
    for change in (lambda: library.rename_run(run, "other"), lambda: library.delete_runs([run])):
        with pytest.raises(RunError, match=r"cannot write .*Read-only file system"):
            change()
    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with pytest.raises(RunError, match=r"cannot write .*Read-only file system"):
        library.delete_runs([run])
    assert library.list_runs(run.path.parent)[0].path == run.path


def test_runs_are_listed_newest_first_and_foreign_folders_are_left_alone(tmp_path):
    root = tmp_path / "root"
    first, second = library.new_run(root, "first"), library.new_run(root, "second/..")
    (root / "notes").mkdir()
    (root / "broken").mkdir()
    (root / "broken/run.json").write_text("{")
    info = json.loads((first.path / "run.json").read_text())
    (first.path / "run.json").write_text(json.dumps({**info, "created": "2020"}))
    assert [run.name for run in library.list_runs(root)] == [second.name, first.name]
    library.delete_runs([first])
    assert [run.name for run in library.list_runs(root)] == [second.name]
    assert {path.name for path in root.iterdir()} == {"broken", "notes", second.name}


def test_none_is_deleted_when_one_is_busy(tmp_path):
    first, second = library.new_run(tmp_path, "first"), library.new_run(tmp_path, "second")
    with open_job(second, "train"), pytest.raises(BusyError):
        library.delete_runs([first, second])
    assert len(library.list_runs(tmp_path)) == 2


def test_a_name_is_a_folder_or_a_run_under_the_root(tmp_path, monkeypatch):
    root = tmp_path / "root"
    Run.create(root / "demo")
    monkeypatch.chdir(tmp_path)
    assert library.find_run(root, "demo") == root / "demo"
    Run.create(tmp_path / "demo")
    assert library.find_run(root, "demo").resolve() == tmp_path / "demo"
    assert str(library.find_run(root, "other")) == "other"


def test_a_folder_with_other_things_in_it_does_not_become_a_run(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="neither empty nor a run"):
        Run.create(tmp_path)
