"""What must stay light, proven in a fresh interpreter."""

import pytest

from tests.conftest import python

_HEAVY = """
import sys
heavy = {"torch", "torchvision", "tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "streamlit"}
found = heavy & set(sys.modules)
assert not found, found
"""


@pytest.mark.parametrize(
    "module",
    [
        "convnet_core",
        "convnet_core.cli.main",
        "convnet_core.cli.commands.pipeline",
        "convnet_core.dissect.report.documents",
        "convnet_core.jobs.job",
        "convnet_core.jobs.overview",
        "convnet_core.compare.report",
        "convnet_core.artifacts.artifact",
        "convnet_core.benchmark.results",
        "convnet_core.data.gallery",
        "convnet_core.data.strokes",
        "convnet_core.training.estimate",
        "convnet_core.graphs.graph_file",
        "convnet_core.runtimes.pool",
    ],
)
def test_import_is_light(module):
    python(f"import {module}" + _HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["pipeline", "--help"], ["train", "--help"], ["convert", "--help"]])
def test_help_is_light(arguments):
    code = f"""
from convnet_core.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
"""
    said = python(code + _HEAVY).stdout
    assert "usage: python -m convnet_core" in said


def test_the_list_of_runs_is_light():
    python("from convnet_core.cli.main import main; assert main(['runs']) == 0" + _HEAVY)


def test_the_home_page_imports_neither_torch_nor_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(tmp_path))
    python("""
import sys
from streamlit.testing.v1 import AppTest
assert not AppTest.from_file("app.py", default_timeout=60).run().exception
heavy = {"torch", "tensorflow", "onnx", "onnxruntime", "numpy", "pandas", "jinja2"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
""")


def test_config_needs_the_standard_library_alone():
    python("""
import sys
before = set(sys.modules)
import convnet_core.config.stages
from pathlib import Path
import sysconfig
site = sysconfig.get_paths()["purelib"]
foreign = {name for name in set(sys.modules) - before if site in str(getattr(sys.modules[name], "__file__", ""))}
assert not foreign, foreign
""")
