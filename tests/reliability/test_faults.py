"""A full disk, a read-only folder, too few file descriptors, no shared memory: one clear line, nothing lost."""

import subprocess
import sys

import pytest

from convnet_core.common import disk_errors
from convnet_core.errors import DataError, RunError
from convnet_core.jobs import upload
from convnet_core.runs.run import Run
from testing.trials import faults
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("case", faults.CASES)
def test_a_failing_command_prints_one_line_and_loses_nothing(finished_run, case):
    if not faults.can_mount():
        pytest.skip("needs `unshare -rm` for private mounts")
    (line,) = faults.trial(finished_run.path, {case: faults.CASES[case]})
    assert line.ok, line.found


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(28, "No space left on device"), 28),
        (RuntimeError("SaveV2: /a/b; No space left on device [Op:SaveV2]"), 28),
        (ImportError("lib.so: cannot open shared object file: Too many open files"), 24),
        (ConnectionResetError(104, "reset"), None),
        (DataError("No space left on device, says the user"), None),
        (ValueError("bad"), None),
    ],
)
def test_disk_errors_are_recognized_in_any_exception(error, number):
    assert disk_errors.disk_errno(error) == number


def test_an_upload_to_a_full_disk_leaves_no_files(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(RunError, match="No space left") as caught:
        upload.receive(tmp_path, "a.onnx", memoryview(b"x"))
    assert "free some space" in caught.value.hint
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def test_of_two_simultaneous_starts_one_runs_and_the_other_is_refused(tmp_path):
    run = Run.create(tmp_path / "run")
    small = ["--train-size", "3000", "--test-size", "200", "--validation-size", "0", "--epochs", "3"]
    command = [sys.executable, "-m", "convnet_core", "train", *small, "--run", str(run.path)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    errors = [worker.communicate(timeout=120)[1] for worker in workers]
    assert sorted(worker.returncode for worker in workers) == [0, 2], errors
    refusal = next(text for text, worker in zip(errors, workers, strict=True) if worker.returncode)
    assert "another job is using the run" in refusal
    assert run.state("train").state == "fresh"
