"""Save a traced graph as a frozen GraphDef: one file with constants instead of variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.errors import ConversionError
from convnet_core.language import _

MAX_BYTES = 2**31 - 1
"""The size limit of protobuf and flatbuffers."""


def weight_bytes(concrete: Any) -> int:
    """The size of the weights of a concrete function."""
    return sum(int(variable.dtype.size * variable.shape.num_elements()) for variable in concrete.variables)


def check_size(weight_bytes: int) -> None:
    """Raise ConversionError if weights do not fit into one protobuf file (2 GB)."""
    if weight_bytes >= MAX_BYTES:
        raise ConversionError(
            _("its {gigabytes:.1f} GB of weights exceed the limit of 2 GB for one file", gigabytes=weight_bytes / 1e9)
        )


def save(concrete: Any, path: Path) -> None:
    """Write the graph of a concrete function. Its inputs and outputs are ops named as in the signature."""
    import_tensorflow()
    # The only way to freeze a graph in TensorFlow 2; it has no public name (2.21).
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    path.write_bytes(convert_variables_to_constants_v2(concrete).graph.as_graph_def().SerializeToString())
