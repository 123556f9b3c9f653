"""A traced graph as a frozen GraphDef: constants instead of variables, one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.errors import ConversionError

MOST_BYTES = 2**31 - 1
"""The limit of protobuf, and of a flatbuffer."""


def check_size(concrete: Any) -> None:
    """Raises ConversionError where a concrete function would not fit into the 2 GB of one protobuf file."""
    size = sum(variable.dtype.size * variable.shape.num_elements() for variable in concrete.variables)
    if size >= MOST_BYTES:
        raise ConversionError(f"its {size / 1e9:.1f} GB of weights are more than the 2 GB that one file may hold")


def save(concrete: Any, path: Path) -> None:
    """Write the graph of a concrete function; its inputs and outputs are ops of the signature's names.

    Raises ConversionError as `check_size` does.
    """
    check_size(concrete)
    import_tensorflow()
    # The one way to freeze in TensorFlow 2; it is not exported under a public name (2.21).
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    path.write_bytes(convert_variables_to_constants_v2(concrete).graph.as_graph_def().SerializeToString())
