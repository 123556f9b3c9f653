"""Modules that must not import heavy libraries, each checked in a fresh interpreter."""

from tests.conftest import python

_CHECK = """
import sys
def check(what, *more):
    heavy = {"torch", "torchvision", "tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert", "streamlit", *more}
    assert not heavy & set(sys.modules), (what, heavy & set(sys.modules))
"""


def test_light_modules_import_nothing_heavy():
    """All in one interpreter; the failure names the first heavy module."""
    python(
        _CHECK
        + """
from importlib import import_module
from convnet_core.cli.main import COMMANDS
for name in ("convnet_core", "convnet_core.benchmark.results"):
    import_module(name)
    check(name, "numpy")
for name in (
    "convnet_core.compare.report",
    "convnet_core.cli.main",
    *(f"convnet_core.cli.commands.{command}" for command in COMMANDS),
    "convnet_core.dissect.report.documents",
    "convnet_core.dissect.report.worst_inputs_file",
    "convnet_core.jobs.job",
    "convnet_core.jobs.overview",
    "convnet_core.artifacts.artifact",
    "convnet_core.artifacts.pack",
    "convnet_core.artifacts.snippets",
    "convnet_core.data.gallery",
    "convnet_core.data.strokes",
    "convnet_core.training.estimate",
    "convnet_core.graphs.graph_file",
    "convnet_core.runtimes.pool",
):
    import_module(name)
    check(name)
"""
    )


def test_help_and_run_list_import_nothing_heavy():
    output = python(
        _CHECK
        + """
from convnet_core.cli.main import main
assert main(["runs"]) == 0
check("runs")
for command in ([], ["pipeline"], ["train"], ["convert"]):
    try:
        main([*command, "--help"])
    except SystemExit as end:
        assert end.code == 0
    check(command)
"""
    ).stdout
    assert output.count("usage: ") == 4


def test_the_home_page_imports_neither_torch_nor_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVNET_RUNS_DIR", str(tmp_path))
    python("""
import sys
from streamlit.testing.v1 import AppTest
assert not AppTest.from_file("app.py", default_timeout=60).run().exception
heavy = {"torch", "tensorflow", "onnx", "onnxruntime", "pandas", "jinja2"}  # Streamlit imports NumPy for the tab's icon
assert not heavy & set(sys.modules), heavy & set(sys.modules)
""")


def test_config_needs_only_the_standard_library():
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
