"""TensorFlow, imported on first use, so that handlers can be looked up without it."""

from __future__ import annotations

from typing import Any

from convnet_core.common.tensorflow_import import import_tensorflow


class _TensorFlow:
    """A stand-in for the module `tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_tensorflow(), name)
        setattr(self, name, value)
        return value


tf: Any = _TensorFlow()
