"""The command line as users run it: exit statuses, standard output and standard error."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from convnet_core.cli.main import COMMANDS
from convnet_core.config.fields import describe
from convnet_core.config.stages import CompareConfig, ConvertConfig, ExportConfig, ModelConfig, TrainConfig
from convnet_core.networks.convnet import build
from convnet_core.runs.run import Run
from testing.drawings import drawings
from tests.conftest import ROOT, convnet
from tests.support.commands import LOOSE, options_of
from tests.support.marks import few_quick

SMALL = ["--train-size", "8000", "--test-size", "400", "--validation-size", "500"]


@pytest.fixture
def seven(tmp_path):
    images, digits = drawings(10, seed=3)
    Image.fromarray(images[int(np.flatnonzero(digits == 7)[0])]).save(tmp_path / "seven.png")
    return tmp_path / "seven.png"


@pytest.mark.parametrize(
    ("command", "configs"),
    [
        ("pipeline", [TrainConfig, ExportConfig, ConvertConfig, CompareConfig]),
        ("train", [TrainConfig]),
        ("export", [ExportConfig]),
        ("convert", [ConvertConfig]),
        ("compare", [CompareConfig]),
    ],
)
def test_every_field_of_the_configs_is_a_flag(command, configs):
    options = options_of(command)
    for config in configs:
        for field in describe(config):
            assert f"--{field.flag}" in options


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    output = convnet(command, "--help").stdout
    assert "example: python -m convnet_core" in output
    assert "--json" in output


def test_pipeline_runs_all_stages_to_the_verdict(tmp_path):
    done = convnet("pipeline", "--run", tmp_path / "run", *SMALL, *LOOSE, "--epochs", 3, "--json")
    report = json.loads(done.stdout)
    assert report["verdict"] == "agree"
    assert [item["name"] for item in report["runtimes"]][:3] == ["pytorch", "onnxruntime", "onnxruntime-optimized"]
    run = Run.open(tmp_path / "run")
    assert json.loads((run.path / "compare/report.json").read_text()) == report
    for stage in ("train", "export", "convert/native", "compare"):
        assert run.state(stage).state == "fresh"
        assert stage.split("/")[0] in done.stderr
    assert (run.path / "compare/report.html").is_file()
    assert "Traceback" not in done.stderr


def test_stages_run_one_by_one_and_become_stale_after_a_new_training(run, tmp_path):
    errors = convnet("train", "--run", run.path, *SMALL, "--epochs", 3, "--seed", 7).stderr
    assert "out of date now: export, convert/native, compare" in errors
    assert run.state("compare").state == "stale"
    listed = json.loads(convnet("runs", "--runs", run.path.parent, "--json").stdout)
    (line,) = [item for item in listed if item["name"] == run.name]
    assert line["stages"] == {"train": "fresh", "export": "stale", "convert/native": "stale", "compare": "stale"}
    assert line["verdict"] is None  # a stale verdict is not shown
    convnet("export", "--run", run.path)
    convnet("convert", "--run", run.path)
    convnet("compare", "--run", run.path, *LOOSE, "--batch-sizes", "1,64")
    assert run.state("compare").state == "fresh"


def test_an_impossible_tolerance_gives_exit_status_1(run):
    done = convnet("compare", "--run", run.path, "--rtol", 0, "--atol", 0, *LOOSE, "--batch-sizes", "64", check=1)
    assert "disagree" in done.stdout
    assert run.record("compare").result["verdict"] == "disagree"


def test_a_corrupted_artifact_disagrees(run):
    path = run.path / "convert/native/model.fp32.tflite"
    content = bytearray(path.read_bytes())
    start = len(content) // 2
    content[start : start + 40_000] = np.random.default_rng(0).normal(0, 1, 10_000).astype(np.float32).tobytes()
    path.write_bytes(content)
    done = convnet("compare", "--run", run.path, *LOOSE, "--batch-sizes", "64", "--json", check=1)
    failed = [item["name"] for item in json.loads(done.stdout)["runtimes"] if not item["passed"]]
    assert failed == ["litert-fp32"]


def test_export_of_imported_weights(tmp_path):
    torch.save(build(ModelConfig(channels=8), seed=0).state_dict(), tmp_path / "w.pth")
    output = json.loads(convnet("export", "--weights", tmp_path / "w.pth", "--run", tmp_path / "run", "--json").stdout)
    assert output["nodes"] == 4
    assert (tmp_path / "run/export/model.onnx").is_file()


def test_predict_answers_for_each_image_in_order(run, seven, tmp_path):
    with Image.open(seven) as picture:
        picture.convert("RGB").save(tmp_path / "again.jpg")
    answers = json.loads(convnet("predict", seven, tmp_path / "again.jpg", "--run", run.path, "--json").stdout)
    assert [answer["image"] for answer in answers] == [str(seven), str(tmp_path / "again.jpg")]
    for answer in answers:
        assert len(answer["runtimes"]) == 8
        for item in answer["runtimes"].values():
            assert item["label"] == int(np.argmax(item["probabilities"]))
            assert sum(item["probabilities"]) == pytest.approx(1)
        assert len({item["label"] for item in answer["runtimes"].values()}) == 1
    assert "pytorch" in convnet("predict", seven, "--run", run.path).stdout


def test_runs_can_be_named_noted_and_deleted(run):
    root = run.path.parent
    convnet("runs", "rename", run.name, "demo 1", "--runs", root)
    convnet("runs", "notes", "demo 1", "for Monday", "--runs", root)
    assert "for Monday" in convnet("runs", "notes", run.name, "--runs", root).stdout
    (line,) = json.loads(convnet("runs", "--runs", root, "--json").stdout)
    assert (line["title"], line["name"], line["notes"]) == ("demo 1", run.name, "for Monday")
    convnet("runs", "delete", "demo 1", "nowhere", "--runs", root, check=2)
    assert run.path.is_dir()  # either all are deleted or none
    convnet("runs", "delete", "demo 1", "--runs", root)
    assert not run.path.exists()
    assert "no runs in" in convnet("runs", "--runs", root).stdout


def test_without_run_flag_the_newest_run_is_used(run):
    done = convnet("compare", *LOOSE, "--batch-sizes", "64", "--runs", run.path.parent)
    assert f"the newest run with export: {run.path}" in done.stderr


def test_doctor_reports_versions_and_devices_without_problems():
    checks = json.loads(convnet("doctor", "--json").stdout)
    by_name = {check["name"]: check for check in checks}
    assert by_name["torch"]["found"].startswith(torch.__version__.split("+")[0])
    assert "cores" in by_name["device cpu"]["found"]
    assert all(check["ok"] for check in checks)


def test_doctor_explains_how_to_fix_a_problem(tmp_path):
    env = {**os.environ, "CONVNET_RUNS_DIR": "/proc/nowhere"}
    checks = json.loads(convnet("doctor", "--json", check=2, env=env).stdout)
    (bad,) = [check for check in checks if not check["ok"]]
    assert "CONVNET_RUNS_DIR" in bad["mend"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--epochs", "0"], "epochs must be from 1 to 1000"),
        (["train", "--epochs", "many"], "invalid int value"),
        (["train", "--optimizer", "lion"], "invalid choice"),
        (["train", "--data", "/nonexistent"], "/nonexistent is not a folder"),
        (["train", "--device", "mps"], "no device 'mps'"),
        (["train", "--resume"], "--resume needs --run"),
        (["train", "--resume", "--run", "x", "--preset", "fast"], "leave out other flags"),
        (["train", "--resume", "--run", "x", "--estimate"], "leave out --resume"),
        (["train", "--data-dir", "/tmp"], "--data-dir is only for --data mnist"),
        (["train", "--train-size", "100", "--validation-size", "90"], "do not fit"),
        (["export"], "has no run with"),
        (["compare", "--run", "/nonexistent"], "/nonexistent is not a run"),
        (["compare", "--batch-sizes", "1,x"], "integers separated by commas"),
        (["predict", "nothing.png"], "has no run with"),
        (["runs", "rename", "a", "b"], "is not a run"),
        (["app", "--port", "99999"], "cannot listen on 127.0.0.1:99999"),
        (["dance"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_usage_gives_one_clear_line_and_exit_status_2(tmp_path, arguments, message):
    done = convnet(*arguments, check=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list((tmp_path / "runs").glob("*"))  # no unfinished run is left


def test_predict_names_bad_images(run, tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("hello")
    for name, message in (
        ("blank.png", "no ink"),
        ("text.png", "cannot be read as an image"),
        ("gone.png", "no such file"),
    ):
        done = convnet("predict", tmp_path / name, "--run", run.path, check=2)
        assert message in done.stderr
        assert name in done.stderr


def test_one_bad_image_does_not_stop_the_others(run, seven, tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    pictures = [tmp_path / "blank.png", seven, tmp_path / "gone.png"]
    done = convnet("predict", *pictures, "--run", run.path, "--json", check=2)
    assert [sorted(answer) for answer in json.loads(done.stdout)] == [
        ["error", "hint", "image"],
        ["image", "runtimes"],
        ["error", "hint", "image"],
    ]
    assert "blank.png: no digit" in done.stderr
    assert "gone.png: no such file" in done.stderr


def test_an_internal_error_prints_one_line_and_logs_the_traceback(run, tmp_path):
    code = """
import sys
import convnet_core.stages.export as stage
stage.export = None  # a bug
from convnet_core.cli.main import main
sys.exit(main(["export", "--run", sys.argv[1]]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 4
    assert "internal error: TypeError" in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = run.path.glob("jobs/*/log.txt")
    assert "Traceback" in log.read_text()
    assert run.state("export").state == "fresh"  # the old stage is intact


@pytest.mark.parametrize("number", few_quick([signal.SIGINT, signal.SIGTERM], signal.SIGINT))
def test_a_signal_stops_training_with_exit_status_3_and_it_can_be_resumed(tmp_path, number):
    run = tmp_path / "run"
    arguments = ["train", "--run", str(run), "--epochs", "400", *SMALL]
    worker = subprocess.Popen(
        [sys.executable, "-m", "convnet_core", *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while (
        not list(run.glob("jobs/*/events.jsonl")) or "metrics" not in next(run.glob("jobs/*/events.jsonl")).read_text()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker.send_signal(number)
    _, errors = worker.communicate(timeout=300)
    assert worker.returncode == 3
    assert "saved" in errors
    assert "train --resume" in errors
    assert Run.open(run).state("train").state == "missing"
    assert (run / "checkpoint/state.pth").is_file()
    assert json.loads(next(run.glob("jobs/*/job.json")).read_text())["state"] == "stopped"
    (line,) = json.loads(convnet("runs", "--runs", tmp_path, "--json").stdout)
    assert line["resumable"]
    convnet("train", "--resume", "--run", run, "--epochs", "3", check=2)  # a resume keeps its settings
