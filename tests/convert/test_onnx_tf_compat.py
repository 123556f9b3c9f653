"""The modules that onnx-tf needs are replaced only while it is imported, and behave like the originals."""

import sys

import numpy as np
import pytest
from onnx import TensorProto

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.onnx_tf.compat import import_onnx_tf
from tests.conftest import python

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="onnx-tf needs Python 3.11")


def test_the_import_leaves_no_replacement_modules():
    code = """
import sys, onnx, onnx.helper
from convnet_core.convert.onnx_tf.compat import import_onnx_tf
backend = import_onnx_tf()
assert backend.TensorflowBackend
assert "onnx.mapping" not in sys.modules and "tensorflow_addons" not in sys.modules
assert not hasattr(onnx, "mapping") and not hasattr(onnx.helper, "mapping")
assert import_onnx_tf() is backend
"""
    python(code)


@pytest.mark.slow
def test_existing_modules_are_restored():
    code = """
import sys, types, onnx
original = types.ModuleType("tensorflow_addons")
sys.modules["tensorflow_addons"] = original
onnx.mapping = "original"
from convnet_core.convert.onnx_tf.compat import import_onnx_tf
import_onnx_tf()
assert sys.modules["tensorflow_addons"] is original and onnx.mapping == "original"
"""
    python(code)


def test_the_error_names_onnx_tf_when_it_is_not_installed():
    code = """
import sys
sys.modules["onnx_tf"] = None
from convnet_core.convert.onnx_tf.compat import import_onnx_tf
from convnet_core.errors import MissingError
try:
    import_onnx_tf()
except MissingError as error:
    print(error, error.hint)
"""
    output = python(code).stdout
    assert "onnx-tf cannot be imported" in output
    assert "3.11" in output


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """(onnx.mapping, tensorflow_addons) as a package sees them that has onnx-tf's name."""
    (tmp_path / "onnx_tf").mkdir()
    (tmp_path / "onnx_tf/__init__.py").touch()
    (tmp_path / "onnx_tf/backend.py").write_text("import tensorflow_addons\nfrom onnx import mapping\n")
    real = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "onnx_tf"}
    for name in ("onnx_tf", "onnx_tf.backend", *real):
        monkeypatch.setitem(sys.modules, name, None)  # so that it is restored
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    backend = import_onnx_tf()
    return backend.mapping, backend.tensorflow_addons


def test_the_mappings_match_onnx_1_18(modules):
    """Spot checks against values from the source of the removed module `onnx.mapping`."""
    mapping, _ = modules
    assert mapping.TENSOR_TYPE_TO_NP_TYPE[TensorProto.FLOAT] == np.dtype("float32")
    assert mapping.TENSOR_TYPE_TO_NP_TYPE[TensorProto.STRING] == np.dtype(object)
    assert mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype("float32")] == TensorProto.FLOAT
    assert mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype("int64")] == TensorProto.INT64
    assert mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype("bool")] == TensorProto.BOOL
    assert mapping.TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE[TensorProto.BOOL] == TensorProto.INT32
    assert mapping.STORAGE_TENSOR_TYPE_TO_FIELD[TensorProto.FLOAT] == "float_data"
    assert mapping.STORAGE_TENSOR_TYPE_TO_FIELD[TensorProto.INT64] == "int64_data"


@pytest.mark.parametrize("rows", [[[1.0, 3.0, 2.0], [5.0, 5.0, 0.0]], [[[-1.0, -2.0]], [[0.0, 0.0]]]])
def test_hardmax_marks_the_first_largest(modules, rows):
    tf = import_tensorflow()
    values = np.array(rows, np.float32)
    expected = np.eye(values.shape[-1], dtype=np.float32)[values.argmax(-1)]
    np.testing.assert_array_equal(modules[1].seq2seq.hardmax(tf.constant(values)).numpy(), expected)
