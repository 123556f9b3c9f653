"""What people call a run."""

from datetime import datetime, timedelta

import pytest

from convnet_core import language
from convnet_core.common.files import read_json, write_json
from convnet_core.errors import RunError
from convnet_core.runs import names
from convnet_core.runs.library import new_run
from convnet_core.runs.run import Run


def made(root, folder, when, **info):
    """A run with this folder's name, created at `when`."""
    run = Run.create(root / folder)
    write_json(run.path / "run.json", {**run.info, "created": when.astimezone().isoformat(), **info})
    return run


def shown(*runs):
    return list(names.shown_names(runs).values())


NOON = datetime.now().replace(hour=12, minute=30, second=5, microsecond=0)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("fast-strokes", "fast · strokes · 12:30"),
        ("own-my-digits", "own · my-digits · 12:30"),
        ("sample-strokes-2", "sample · strokes · 12:30"),
        ("fork-mnist", "fork · mnist · 12:30"),
        ("resnet18", "resnet18 · 12:30"),
    ],
)
def test_a_name_says_the_settings_and_the_time(tmp_path, label, name):
    assert shown(made(tmp_path, f"20261130-123005-{label}", NOON)) == [name]


def test_the_date_is_there_when_it_is_not_today(tmp_path):
    yesterday, last_year = NOON - timedelta(days=1), NOON.replace(year=NOON.year - 1, month=3, day=1)
    runs = made(tmp_path, "20261129-123005-fast-strokes", yesterday), made(tmp_path, "20250301-123005-x", last_year)
    day = f"{yesterday:%b} {yesterday.day}" + (f", {yesterday.year}" if yesterday.year < NOON.year else "")
    assert shown(*runs) == [f"fast · strokes · {day} 12:30", f"x · Mar 1, {last_year.year} 12:30"]


def test_a_report_has_the_whole_date(tmp_path):
    run = made(tmp_path, "20261130-123005-fast-strokes", NOON)
    assert names.title_of(run) == f"fast · strokes · {NOON:%b} {NOON.day}, {NOON.year} 12:30"
    with language.use("zh"):
        assert names.title_of(run) == f"fast · strokes · {NOON.year}年{NOON.month}月{NOON.day}日 12:30"
    names.rename_run(run, "mine")
    assert names.title_of(run) == "mine"


def test_a_folder_that_a_person_named_is_the_name(tmp_path):
    assert shown(made(tmp_path, "mine", NOON)) == ["mine"]
    assert shown(made(tmp_path, "20261130-073702-fast-strokes", NOON, title="20261130-073702-fast-strokes")) == [
        "fast · strokes · 12:30"
    ], "earlier versions wrote the folder's name as the title"


def test_names_tell_runs_apart(tmp_path):
    same = [made(tmp_path, f"20261130-123005-fast-strokes{end}", NOON) for end in ("", "-2")]
    later = made(tmp_path, "20261130-123030-fast-strokes", NOON.replace(second=30))
    titled = [made(tmp_path, f"{hour}", NOON.replace(hour=hour), title="demo") for hour in (1, 2)]
    assert shown(*same, later, *titled) == [
        "fast · strokes (20261130-123005-fast-strokes)",
        "fast · strokes (20261130-123005-fast-strokes-2)",
        "fast · strokes · 12:30:30",
        "demo · 01:30",
        "demo · 02:30",
    ]


@pytest.mark.parametrize("created", ["", "yesterday", None, "9999-12-31T23:59:59-12:00"])
def test_a_run_without_a_time_is_called_by_its_folder(tmp_path, created):
    run = Run.create(tmp_path / "20261130-123005-fast-strokes")
    write_json(run.path / "run.json", {**run.info, "created": created})
    assert shown(run) == [run.name]


def test_an_uploaded_model_is_called_like_its_file(tmp_path):
    run = new_run(tmp_path, "my-net-v2", "my_net (v2).onnx", kind="model")
    assert shown(run) == ["my_net (v2).onnx"]


def test_a_title_and_notes_change_nothing_else(run):
    before = read_json(run.path / "run.json")
    names.rename_run(run, "  Zürich\n\t2 *名* ")
    names.write_notes(run, "a lower rate\nfor Monday\n")
    assert shown(run) == ["Zürich 2 *名*"]
    assert names.notes_of(run) == "a lower rate\nfor Monday"
    names.rename_run(run, " ")
    names.write_notes(run, "")
    assert read_json(run.path / "run.json") == {**before, "title": "", "notes": ""}


def test_a_name_can_be_changed_while_a_job_works(run):
    with run.lock():
        names.rename_run(run, "mine")
    assert shown(run) == ["mine"]


def test_a_long_title_and_long_notes_are_refused(run):
    names.rename_run(run, "名" * 100)
    with pytest.raises(RunError, match="101 characters is too long"):
        names.rename_run(run, "x" * 101)
    with pytest.raises(RunError, match="10,001 characters are too long"):
        names.write_notes(run, "x" * 10_001)
    assert shown(run) == ["名" * 100]
