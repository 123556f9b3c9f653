"""The list of runs: names, order, deleting."""

import errno
import json
import os

import filelock
import pytest

from convnet_core.cli.main import main
from convnet_core.errors import BusyError, RunError
from convnet_core.jobs.job import open_job
from convnet_core.runs import library, names
from convnet_core.runs.run import Run


def test_a_too_long_file_name_is_a_clear_error(tmp_path, capsys):
    long = tmp_path / ("名" * 100)
    with pytest.raises(RunError, match=r"cannot create the run .*File name too long"):
        Run.create(long)
    for read in (Run.open, lambda path: library.find_run(tmp_path, path), library.list_runs):
        with pytest.raises(RunError, match="cannot be read: File name too long"):
            read(long)
    for command in ("train", "compare", "pack"):
        assert main([command, "--run", str(long)]) == 2
        assert "File name too long" in capsys.readouterr().err
    run = library.new_run(tmp_path, "x" * 300)
    assert len(run.name) < 100


def test_a_read_only_root_is_a_clear_error(run, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    for change in (lambda: names.rename_run(run, "other"), lambda: library.delete_runs([run])):
        with pytest.raises(RunError, match=r"cannot write .*Read-only file system"):
            change()
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(RunError, match=r"cannot write .*Read-only file system"):
        library.delete_runs([run])
    assert library.list_runs(run.path.parent)[0].path == run.path


def test_runs_are_listed_newest_first_and_other_folders_are_untouched(tmp_path):
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


def test_no_run_is_deleted_if_one_is_busy(tmp_path):
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


def test_a_run_is_found_by_a_title_that_only_one_has(tmp_path):
    first, second = Run.create(tmp_path / "first"), Run.create(tmp_path / "second")
    names.rename_run(first, "for Monday")
    assert library.find_run(tmp_path, "for Monday") == first.path
    names.rename_run(second, "for Monday")
    with pytest.raises(RunError, match="2 runs are called for Monday") as caught:
        library.find_run(tmp_path, "for Monday")
    assert "first" in caught.value.hint
    names.rename_run(first, "second")
    assert library.find_run(tmp_path, "second") == second.path, "a folder goes before a title"


def test_a_folder_with_other_files_cannot_become_a_run(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="neither empty nor a run"):
        Run.create(tmp_path)
