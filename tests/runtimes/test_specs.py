import ast
from pathlib import Path

import numpy as np
import pytest

from convnet_core.compare.differences import Key, difference
from convnet_core.compare.judge import judge
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig
from convnet_core.runtimes import specs
from convnet_core.runtimes.specs import SPECS, available, spec_of
from tests.conftest import ROOT, RUNTIMES, python

NAMES = [spec.name for spec in SPECS]


def test_names_colors_and_symbols_are_unique():
    for values in (NAMES, [spec.color for spec in SPECS], [spec.symbol for spec in SPECS]):
        assert len(set(values)) == len(SPECS)


def test_every_installed_runtime_is_available_and_has_a_version():
    assert tuple(spec.name for spec in available()) == RUNTIMES
    assert all(spec.version for spec in available())


def test_no_other_module_contains_a_runtime_name():
    """Only the table contains the names; everything else reads the table."""
    files = {*(ROOT / "convnet_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")} - {Path(specs.__file__)}
    names = set(NAMES) - {"onnxruntime", "tensorflow"}  # also names of packages and graph formats
    misplaced = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.value}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert misplaced == []


def test_a_converter_prefix_is_ignored_and_unknown_names_count_as_float32():
    assert spec_of("onnx-tf/litert-int8") is specs.LITERT_INT8
    unknown = spec_of("onnx-tf/of-another-version")
    assert (unknown.name, unknown.precision) == ("of-another-version", "float32")


@pytest.mark.parametrize("name", NAMES)
def test_float32_runtimes_are_judged_by_values_and_others_by_labels(name):
    labels = np.arange(10)
    expected = np.eye(10, dtype=np.float32)
    off = difference(Key(name, None, TEST, 10, "logits"), expected * 1.1, expected, labels)
    (result,) = judge([off], {(name, None): 1}, "pytorch" if name != "pytorch" else "none", CompareConfig()).results
    assert result.passed == (spec_of(name).precision != "float32")


def test_a_runtime_without_its_extra_is_not_available(monkeypatch):
    rare = specs.replace(specs.PYTORCH, name="rare", extra="rare", distribution="no-such-distribution")
    monkeypatch.setattr(specs, "SPECS", (*SPECS, rare))
    assert rare not in available()


def test_the_table_imports_no_library():
    code = "import sys, convnet_core.runtimes.specs; print(*sys.modules)"
    loaded = set(python(code).stdout.split())
    assert not loaded & {"torch", "tensorflow", "onnxruntime", "onnx", "ai_edge_litert", "openvino"}
