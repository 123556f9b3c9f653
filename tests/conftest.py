"""Each test gets its own runs folder and the same random seeds; trained runs are built once per session."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import hypothesis
import numpy as np
import pytest

from convnet_core.common.memory import collect_garbage_less_often
from tests.support import warm_cli

ROOT = Path(__file__).resolve().parent.parent

RUNTIMES = (
    "pytorch",
    "onnxruntime",
    "onnxruntime-optimized",
    *(["openvino"] if importlib.util.find_spec("openvino") else []),
    "tensorflow",
    "tensorflow-frozen",
    "litert-fp32",
    "litert-fp16",
    "litert-int8",
)
"""The runtimes of a finished run, in report order."""


def pytest_addoption(parser):
    parser.addoption(
        "--seed", type=int, default=0, help="seed for random test data; a nonzero seed tests the suite itself"
    )


def pytest_configure(config):
    """Make hypothesis independent of chance and of the machine's speed."""
    ignored = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "repeatable", derandomize=not config.option.seed, database=None, deadline=None, suppress_health_check=ignored
    )
    hypothesis.settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collectstart(collector):
    """Seed before each import, for test modules that use random numbers at import time."""
    _seed(collector.config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Seed each test and its fixtures the same way, whatever ran before."""
    _seed(item.config)


def _seed(config):
    """Seed the global generators. PyTorch starts with a fixed seed, so it only needs one once it is imported."""
    random.seed(config.option.seed)
    np.random.seed(config.option.seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(config.option.seed)


@pytest.fixture(scope="session", autouse=True)
def quick_imports():
    """Collect garbage less often, as the command line does: many tests import large libraries."""
    with collect_garbage_less_often():
        yield


@pytest.fixture(autouse=True)
def temporary_folders(tmp_path, monkeypatch, shared_cache):
    """Keep tests away from the user's cache, runs and language."""
    monkeypatch.delenv("CONVNET_LANGUAGE", raising=False)
    monkeypatch.setenv("CONVNET_CACHE_DIR", str(shared_cache))
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(tmp_path / "runs"))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all pytest-xdist workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def shared_cache(shared_folder):
    """A cache for the whole session, so that handwriting is generated only once."""
    folder = shared_folder / "cache"
    os.environ["CONVNET_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder with the real MNIST; skips the test if there is none."""
    folder = os.environ.get("CONVNET_DATA_DIR")
    if not folder or not any(Path(folder).glob("train-images*")):
        pytest.skip("needs the real MNIST: set CONVNET_DATA_DIR to a folder of its IDX files")
    return Path(folder)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def small_train_config(**changes):
    """A config that trains in a few seconds."""
    from convnet_core.config.stages import PRESETS, DataConfig

    defaults = {"data": DataConfig(train_size=3000, test_size=400), "validation_size": 500, "device": "cpu"}
    return PRESETS["fast"].replace(**{**defaults, **changes})


def build_once(folder: Path, name: str, build) -> Path:
    """Return folder / name; the first pytest-xdist worker that needs it fills it by calling `build`."""
    path = folder / name
    with filelock.FileLock(folder / f"{name}.lock"):
        if not path.exists():
            draft = folder / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)  # left by a process that died
            build(draft)
            draft.rename(path)
    return path


@pytest.fixture(scope="session")
def trained_run(shared_folder, shared_cache):
    """A run with `train` done on 8,000 generated images. Copy it before writing to it."""
    from convnet_core.config.stages import DataConfig
    from convnet_core.events import Monitor
    from convnet_core.runs.run import Run
    from convnet_core.stages.train import run_train

    def build(folder):
        config = small_train_config(data=DataConfig(train_size=8000, test_size=400), epochs=3)
        run_train(Run.create(folder / "run"), config, Monitor())

    return Run.open(build_once(shared_folder, "trained", build) / "run")


@pytest.fixture(scope="session")
def finished_run(shared_folder, trained_run):
    """The same run with export, convert and compare done. Copy it before writing to it."""
    from convnet_core.config.stages import CompareConfig, ConvertConfig, ExportConfig
    from convnet_core.events import Monitor
    from convnet_core.runs.run import Run
    from convnet_core.stages.compare import run_compare
    from convnet_core.stages.convert import run_convert
    from convnet_core.stages.export import run_export

    def build(folder):
        run = copy_of(trained_run, folder)
        run_export(run, ExportConfig(), Monitor())
        run_convert(run, ConvertConfig(), Monitor())
        run_compare(run, CompareConfig(samples=50, int8_agreement=0.97, int8_accuracy_drop=0.05), Monitor())

    return Run.open(build_once(shared_folder, "finished", build) / "run")


def copy_of(run, folder: Path):
    """A copy of a run that a test may change."""
    from convnet_core.runs.run import Run

    return Run.open(shutil.copytree(run.path, folder / run.name))


def python(code: str, *args: str, env: dict[str, str] | None = None):
    """Run code in a fresh interpreter, in the project's folder, and require success."""
    command = [sys.executable, "-c", code, *args]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def convnet(*args: object, check: int | None = 0, **options):
    """Run the command line and require the exit status `check`. Options for subprocess.run start a new process."""
    arguments = [str(arg) for arg in args]
    if options:
        command = [sys.executable, "-m", "convnet_core", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, **options)
    else:
        done = warm_cli.run(arguments)
    if check is not None:
        assert done.returncode == check, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
