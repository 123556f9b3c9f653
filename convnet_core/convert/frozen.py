"""A traced graph as a frozen GraphDef: constants instead of variables, one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convnet_core.tensorflow_setup import import_tensorflow


def save(concrete: Any, path: Path) -> None:
    """Write the graph of a concrete function; its inputs and outputs are ops of the signature's names."""
    import_tensorflow()
    # The one way to freeze in TensorFlow 2; it is not exported under a public name (2.21).
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    path.write_bytes(convert_variables_to_constants_v2(concrete).graph.as_graph_def().SerializeToString())
