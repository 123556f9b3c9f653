"""Import onnx-tf 1.10.0 (2022, unmaintained) beside onnx 1.23 and TensorFlow 2.21.

Two missing modules break its import. Both are provided only while it is imported:

- `onnx.mapping` was removed in onnx 1.19. onnx-tf reads four dictionaries from it, with
  `from onnx import mapping` and `from onnx.helper import mapping`. All four can be derived from `onnx.helper`.
- `tensorflow_addons` is archived and does not import with TensorFlow 2.16 or later. onnx-tf uses only its
  `seq2seq.hardmax`, in the handler of Hardmax.

onnx-tf also needs `tensorflow_probability`, an undeclared dependency that in turn needs `tf-keras`. Both are in
`requirements.txt`. Remove this module together with onnx-tf.
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx.helper

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.errors import MissingError
from convnet_core.language import _


def import_onnx_tf() -> Any:
    """Import `onnx_tf.backend`. Raises MissingError if onnx-tf cannot be imported."""
    with _patched_modules():
        try:
            import onnx_tf.backend
        except ImportError as error:
            raise MissingError(
                _("the converter onnx-tf cannot be imported: {reason}", reason=error),
                hint=_("it needs Python 3.11: run pip install -r requirements.txt in a Python 3.11 environment"),
            ) from error
    return onnx_tf.backend


@contextlib.contextmanager
def _patched_modules() -> Iterator[None]:
    """Provide the missing modules, and remove them afterward."""
    mapping, addons = _mapping(), _addons()
    modules = {"onnx.mapping": mapping, "tensorflow_addons": addons}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    attributes = [owner for owner in (onnx, onnx.helper) if not hasattr(owner, "mapping")]
    for owner in attributes:
        vars(owner)["mapping"] = mapping
    try:
        yield
    finally:
        for owner in attributes:
            del vars(owner)["mapping"]
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _mapping() -> types.ModuleType:
    """The parts of `onnx.mapping` (as in onnx 1.18) that onnx-tf uses."""
    helper = onnx.helper
    kinds = [kind for kind in helper.get_all_tensor_dtypes() if kind != onnx.TensorProto.UNDEFINED]
    module = types.ModuleType("onnx.mapping")
    to_numpy = {int(kind): helper.tensor_dtype_to_np_dtype(kind) for kind in kinds}
    storage = {int(kind): int(helper.tensor_dtype_to_storage_tensor_dtype(kind)) for kind in kinds}
    # bfloat16 and the 8-bit floats share NumPy types, so look up each NumPy type from its dtype.
    from_numpy = {
        np.dtype(to_numpy[int(kind)]): int(helper.np_dtype_to_tensor_dtype(np.dtype(to_numpy[int(kind)])))
        for kind in kinds
    }
    fields = {int(kind): helper.tensor_dtype_to_field(kind) for kind in kinds}
    vars(module).update(
        TENSOR_TYPE_TO_NP_TYPE=to_numpy,
        NP_TYPE_TO_TENSOR_TYPE=from_numpy,
        TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE=storage,
        STORAGE_TENSOR_TYPE_TO_FIELD=fields,
    )
    return module


def _addons() -> types.ModuleType:
    """`tensorflow_addons` with the single function that onnx-tf uses."""
    tf = import_tensorflow()

    def hardmax(logits: Any, name: str | None = None) -> Any:
        """1 at the maximum of the last axis (the first if tied), 0 elsewhere."""
        with tf.name_scope(name or "hardmax"):
            depth = tf.shape(logits)[-1]
            return tf.one_hot(tf.argmax(logits, axis=-1), depth, dtype=logits.dtype)

    module = types.ModuleType("tensorflow_addons")
    vars(module)["seq2seq"] = types.SimpleNamespace(hardmax=hardmax)
    return module
