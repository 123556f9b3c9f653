"""The zip file of a run is complete, is never written partially and needs nothing from this project."""

import hashlib
import io
import json
import zipfile

import pytest

from convnet_core.artifacts import artifact, pack, snippets
from convnet_core.errors import ConfigError, RunError
from convnet_core.runs.run import Run
from tests.conftest import ROOT, RUNTIMES, convnet, copy_of, python


@pytest.fixture
def run(finished_run, tmp_path):
    return copy_of(finished_run, tmp_path)


def zip_of(run, only=None):
    file = io.BytesIO()
    pack.pack(run, file, only)
    return zipfile.ZipFile(file)


def test_zip_contains_all_artifacts_byte_for_byte(run):
    archive = zip_of(run)
    assert archive.testzip() is None
    recorded = {
        f"{stage}/{name}": output["sha256"]
        for stage in ("export", "convert/native", "compare")
        for name, output in run.record(stage).outputs.items()
    }
    inside = {name.removeprefix(f"{run.name}/") for name in archive.namelist()}
    assert {name for name in recorded if name.startswith("convert/")} < inside
    assert {"export/model.onnx", "compare/report.html", "compare/report.json", "compare/report.md"} < inside
    for name in inside & set(recorded):
        assert hashlib.sha256(archive.read(f"{run.name}/{name}")).hexdigest() == recorded[name]


def test_zip_contains_the_snippets_and_a_readme_for_each_file(run):
    archive = zip_of(run)
    for item, text in snippets.snippets(run).items():
        name = f"{run.name}/{item.stage}/{snippets.file_name(item)}"
        assert archive.read(name).decode() == text
    readme = archive.read(f"{run.name}/README.txt").decode()
    for item in artifact.artifacts(run):
        assert (item.path in readme) == (item.kind != "weights")
    assert run.name in readme
    assert f"tensorflow=={run.record('convert/native').versions['tensorflow']}" in readme
    assert "calibration size 500" in readme
    assert f"The verdict: all {len(RUNTIMES)} runtimes agree" in readme
    assert "STALE" not in readme


def test_every_converter_output_is_an_artifact(run):
    outputs = run.record("convert/native").outputs
    assert sorted(outputs) == sorted(
        file.removeprefix("convert/native/")
        for item in artifact.artifacts(run)
        if item.stage == "convert/native"
        for file in item.files
    )
    sizes = {item.name: item.bytes for item in artifact.artifacts(run)}
    assert run.record("convert/native").result["sizes"].items() <= sizes.items()


def test_a_single_folder_can_be_packed(run):
    archive = zip_of(run, artifact.find(run, "saved_model"))
    folder = run.path / "convert/native"
    files = {
        path.relative_to(folder).as_posix(): path for path in (folder / "saved_model").rglob("*") if path.is_file()
    }
    assert set(archive.namelist()) == set(files)
    assert all(archive.read(name) == path.read_bytes() for name, path in files.items())


def test_zip_omits_a_stale_comparison_and_marks_stale_artifacts(run):
    (run.path / "train/model.safetensors").write_bytes(b"other")
    archive = zip_of(run)
    assert not [name for name in archive.namelist() if "/compare/" in name]
    readme = archive.read(f"{run.name}/README.txt").decode()
    assert readme.count("STALE") == 2  # export and convert
    assert "agree" not in readme


def test_zip_of_an_unconverted_run_contains_the_onnx_file(run):
    run.discard("convert/native")
    names = zip_of(run).namelist()
    assert sorted(names) == [
        f"{run.name}/{name}" for name in ("README.txt", "export/model.onnx", "export/use_model_onnx.py")
    ]


def test_a_missing_file_is_named_and_nothing_is_written(run, tmp_path):
    (run.path / "convert/native/frozen.pb").unlink()
    file = io.BytesIO()
    with pytest.raises(RunError, match=r"frozen\.pb is missing") as caught:
        pack.pack(run, file)
    assert "convert --run" in caught.value.hint
    assert file.getvalue() == b""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RunError, match=r"frozen\.pb is missing"):
        pack.pack_to(run, tmp_path / "out.zip")
    assert sorted(tmp_path.iterdir()) == before
    assert zip_of(run, artifact.find(run, "model.onnx")).namelist() == ["model.onnx"]


def test_rebuilding_a_stage_while_packing_is_an_error(run, tmp_path, monkeypatch):
    """A zip never mixes old and new files of a stage."""
    snippets_of = snippets.snippets  # called after the artifacts are packed

    def rebuild(run):
        texts = snippets_of(run)
        with run.write_stage("convert/native", {}) as draft:
            (draft.path / "frozen.pb").write_bytes(b"new")
        return texts

    monkeypatch.setattr(snippets, "snippets", rebuild)
    with pytest.raises(RunError, match="changed while it was being packed"):
        pack.pack_to(run, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_packing_a_run_without_export_is_an_error(tmp_path):
    with pytest.raises(RunError, match="has no export yet"):
        zip_of(Run.create(tmp_path / "run"))


@pytest.mark.slow
def test_command_overwrites_only_with_force(run, tmp_path):
    path = tmp_path / "out.zip"
    output = json.loads(convnet("pack", "--run", run.path, "--output", path, "--json").stdout)
    assert output == {"run": str(run.path), "file": str(path), "bytes": path.stat().st_size}
    assert zipfile.ZipFile(path).namelist() == zip_of(run).namelist()
    path.write_bytes(b"mine")
    error = convnet("pack", "--run", run.path, "--output", path, check=2).stderr
    assert "already exists" in error
    assert "--force" in error
    assert path.read_bytes() == b"mine"
    convnet("pack", "--run", run.path, "--output", path, "--force", "--artefact", "saved_model")
    assert "saved_model/saved_model.pb" in zipfile.ZipFile(path).namelist()


def test_command_names_the_zip_after_the_run_by_default(run, tmp_path):
    code = "import os, sys; from convnet_core.cli.main import main; os.chdir(sys.argv[1]); main(sys.argv[2:])"
    python(code, str(tmp_path), "pack", "--run", str(run.path), env={"PYTHONPATH": str(ROOT)})
    assert zipfile.is_zipfile(tmp_path / f"{run.name}.zip")


@pytest.mark.parametrize("where", ["", "nowhere/out.zip"])
def test_an_unwritable_output_path_is_refused(run, tmp_path, where):
    with pytest.raises(ConfigError):
        pack.pack_to(run, tmp_path / where, force=True)


def test_a_link_out_of_the_run_is_refused(run, tmp_path):
    (tmp_path / "secret").write_text("password")
    frozen = run.path / "convert/native/frozen.pb"
    frozen.unlink()
    frozen.symlink_to(tmp_path / "secret")
    with pytest.raises(RunError, match=r"frozen\.pb leads out of the run's folder"):
        pack.pack(run, io.BytesIO())


def test_a_record_with_paths_outside_its_stage_is_refused(run):
    path = run.path / "convert/native/stage.json"
    record = json.loads(path.read_text())
    for name in ("../../../secret", "/etc/passwd"):
        record["outputs"] = {name: {"sha256": "0", "bytes": 8, "mtime_ns": 0}}
        path.write_text(json.dumps(record))
        with pytest.raises(RunError, match="leads out of the stage's folder"):
            run.record("convert/native")
