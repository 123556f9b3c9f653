"""Two runs side by side."""

import json

import pytest

from convnet_core.cli.main import main
from convnet_core.common.files import read_json, write_json
from convnet_core.errors import RunError
from convnet_core.jobs.side_by_side import side_by_side
from convnet_core.runs import names
from convnet_core.runs.run import Run
from tests.conftest import RUNTIMES, copy_of


@pytest.fixture
def runs(tmp_path, finished_run, trained_run):
    """A finished run, and one that is only trained, with another learning rate."""
    finished = copy_of(finished_run, tmp_path / "runs")
    trained = Run(copy_of(trained_run, tmp_path / "draft").path.rename(tmp_path / "runs/trained"))
    path = trained.path / "train/stage.json"
    record = read_json(path)
    record["config"] |= {"learning_rate": 0.5}
    write_json(path, record)
    return finished, trained


def values(table):
    return {row.name: (row.left, row.right) for row in table.rows}


def test_only_the_settings_that_differ_are_listed(runs):
    found = side_by_side(*runs)
    assert [name for name in values(found.settings) if "learning" in name] == ["train · learning rate"]
    assert values(found.settings)["train · learning rate"][1] == ("0.5",)
    assert all(row.left != row.right for row in found.settings.rows)
    assert len(found.all_settings.rows) > len(found.settings.rows)
    assert not any(name.startswith("compare") for name in values(found.all_settings)), "only one run has it"


def test_what_a_run_lacks_is_a_dash(runs):
    found = side_by_side(*runs)
    assert tuple(values(found.runtimes)) == RUNTIMES
    assert {row.right for row in found.runtimes.rows} == {("–",) * 4}
    assert values(found.results)["Verdict"] == ((f"{len(RUNTIMES)} runtimes agree",), ("–",))
    assert values(found.files)["export/model.onnx"][1] == ("–",)
    assert "B: not made yet: export, convert/native, compare, benchmark" in found.notes
    assert found.speed.rows == ()


def test_what_is_out_of_date_is_said(runs):
    (runs[0].path / "train/model.safetensors").write_bytes(b"other")
    found = side_by_side(*runs)
    assert "A: out of date: train, export, convert/native, compare" in found.notes
    assert "Verdict" not in values(found.results)


def test_an_imported_model_stands_beside_digits(runs, tmp_path):
    model = Run.create(tmp_path / "runs/model", kind="model")
    found = side_by_side(model, runs[0])
    assert values(found.results)["Test accuracy"][0] == ("–",)
    assert found.settings.rows == ()
    assert [table.title for table in found.tables] == ["Results", "Runtimes", "Files"]


def test_a_damaged_report_is_an_error(runs):
    (runs[0].path / "compare/report.json").write_text("{}")
    with pytest.raises(RunError, match="cannot be read"):
        side_by_side(*runs)


def test_the_command_line_shows_the_same(runs, tmp_path, capsys):
    names.rename_run(runs[1], "a [bold]name[/]")
    command = ["runs", "compare", runs[0].name, "a [bold]name[/]", "--runs", str(tmp_path / "runs")]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "B: a [bold]name[/]" in text
    assert "train · learning rate" in text
    assert main([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["runs"] == [runs[0].name, "trained"]
    assert content["settings"]["rows"]
