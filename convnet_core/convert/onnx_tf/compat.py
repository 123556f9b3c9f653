"""Import onnx-tf 1.10.0 (2022, unmaintained) beside onnx 1.23 and TensorFlow 2.21.

It fails at import for two reasons, and each is restored only while it is imported:

- `onnx.mapping` was removed in onnx 1.19. onnx-tf reads four dictionaries from it, by
  `from onnx import mapping` and by `from onnx.helper import mapping`; all four can be derived from
  `onnx.helper`.
- `tensorflow_addons` does not import on TensorFlow 2.16 and later (it is archived). onnx-tf uses one
  function of it, `seq2seq.hardmax`, in the handler of the operator Hardmax.

A third thing is only undeclared: `tensorflow_probability`, which needs `tf-keras`; both are in
`requirements.txt`. This module can go when onnx-tf does.
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


def import_onnx_tf() -> Any:
    """The module `onnx_tf.backend`. Raises MissingError where onnx-tf is not installed."""
    with _patched_modules():
        try:
            import onnx_tf.backend
        except ImportError as error:
            raise MissingError(
                f"the converter onnx-tf cannot be imported: {error}",
                hint="it needs Python 3.11: pip install -r requirements.txt in an environment of that version",
            ) from error
    return onnx_tf.backend


@contextlib.contextmanager
def _patched_modules() -> Iterator[None]:
    """Put the removed names back, and take them away again."""
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
    """`onnx.mapping` as it was in onnx 1.18, as far as onnx-tf reads it."""
    helper = onnx.helper
    kinds = [kind for kind in helper.get_all_tensor_dtypes() if kind != onnx.TensorProto.UNDEFINED]
    module = types.ModuleType("onnx.mapping")
    to_numpy = {int(kind): helper.tensor_dtype_to_np_dtype(kind) for kind in kinds}
    storage = {int(kind): int(helper.tensor_dtype_to_storage_tensor_dtype(kind)) for kind in kinds}
    # bfloat16 and the small floats share NumPy types; the plain type of each name comes from NumPy itself.
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
    """`tensorflow_addons` with its one function that onnx-tf uses."""
    tf = import_tensorflow()

    def hardmax(logits: Any, name: str | None = None) -> Any:
        """One where the last axis is largest (the first of equals), zero elsewhere."""
        with tf.name_scope(name or "hardmax"):
            depth = tf.shape(logits)[-1]
            return tf.one_hot(tf.argmax(logits, axis=-1), depth, dtype=logits.dtype)

    module = types.ModuleType("tensorflow_addons")
    vars(module)["seq2seq"] = types.SimpleNamespace(hardmax=hardmax)
    return module
