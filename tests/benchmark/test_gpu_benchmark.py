"""`benchmarks/gpu.sh`, which checks training on a GPU; here it runs at a small size on the CPU."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest
import torch
from packaging.requirements import Requirement

from benchmarks import gpu, gpu_parts
from convnet_core.config.stages import PRESETS
from convnet_core.data.split import Split
from convnet_core.data.strokes import generate
from convnet_core.training.loop import Tensors
from tests.conftest import ROOT

CPU = torch.device("cpu")
FOREVER = float("inf")
NEEDED = ["torch", "numpy", "onnx", "safetensors"]


def link_packages(names, folder):
    """Link packages and their dependencies into an empty folder."""
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        package = metadata.distribution(name)
        requirements = map(Requirement, package.requires or [])
        waiting += [item.name for item in requirements if item.marker is None or item.marker.evaluate({"extra": ""})]
        for top in {file.parts[0] for file in package.files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(package.locate_file(top))


@pytest.mark.slow
def test_benchmark_needs_only_pytorch_numpy_onnx_and_safetensors(tmp_path):
    packages, python = tmp_path / "packages", tmp_path / "python"
    packages.mkdir()
    link_packages(NEEDED, packages)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # -S: without this environment's packages
    python.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    environment |= {"LIMIT": "5000", "CONVNET_DATA_DIR": ""}
    absent = subprocess.run([python, "-c", "import onnxscript"], env=environment, capture_output=True, text=True)
    assert "No module named 'onnxscript'" in absent.stderr
    command = [ROOT / "benchmarks/gpu.sh", "--device", "cpu", "--presets", "reference", "--seconds", "5000"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    machine, *rows, table = map(json.loads, done.stdout.splitlines())
    assert machine["images"] == [2500, 500]
    assert table["table"] == rows
    assert {row["part"] for row in rows} == set(gpu.LIMITS)
    assert all(row["ok"] for row in rows)


@pytest.fixture(scope="module")
def plan():
    digits = Tensors.of(Split(*generate(600, 0)))
    return gpu_parts.Plan(CPU, digits, digits, steps=6, images=200, epochs=1)


@pytest.mark.parametrize(("factor", "ok"), [(1.0005, True), (1.002, False)])
def test_different_losses_are_reported(plan, factor, ok):
    config = PRESETS["reference"]
    expected = gpu_parts.losses(plan, config, CPU, FOREVER)
    expected[2] *= factor
    assert gpu_parts.compare_losses(plan, config, expected, FOREVER)["ok"] is ok


def test_different_weights_after_a_resume_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_parts, "run_train", lambda *_, **__: None)
    monkeypatch.setattr(gpu_parts, "digest", lambda path: path.parts[-3].replace("again", "whole"))
    row = gpu_parts.resume(PRESETS["fast"], tmp_path, FOREVER)
    assert (row["the same weights"], row["ok"]) == ({"again": True, "resumed": False}, False)


def raises(error):
    raise error


@pytest.mark.parametrize(
    ("measures", "status", "oks"),
    [
        ([lambda _: {"ok": True}], 0, [True]),
        ([lambda _: raises(RuntimeError("CUDA error")), lambda _: {"ok": True}], 1, [False, True]),
        ([lambda _: {"ok": True}, lambda _: raises(gpu_parts.NotReached())], 2, [True, None]),
    ],
)
def test_a_failed_row_does_not_stop_the_others(capsys, measures, status, oks):
    table = gpu.Table(1000)
    for measure in measures:
        table.add("losses", PRESETS["reference"], "reference", measure)
    assert table.end() == status
    *rows, whole = map(json.loads, capsys.readouterr().out.splitlines())
    assert [row["ok"] for row in rows] == oks
    assert whole["table"] == rows


def test_no_row_starts_after_the_time_limit():
    table = gpu.Table(-1)
    table.add("losses", PRESETS["reference"], "reference", lambda _: pytest.fail("started"))
    assert table.end() == 2


def test_training_stops_at_the_time_limit(plan):
    with pytest.raises(gpu_parts.NotReached):
        gpu_parts.train(plan, PRESETS["reference"], CPU, 0.0, short=True)
