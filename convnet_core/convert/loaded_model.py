"""An ONNX model in memory, ready to convert. Each stage of a command gets the same one, so nothing is read twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import onnx

from convnet_core.convert.native import converter
from convnet_core.convert.native.ir import Graph
from convnet_core.errors import ConversionError
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.model_file import ModelFile
from convnet_core.runs.run import Run


@dataclass(frozen=True)
class LoadedModel:
    """A valid ONNX model with its weights, and the repairs that it needed, one line each.

    The constructor raises ModelError if an input or output is not a plain tensor.
    """

    proto: onnx.ModelProto
    repairs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        model_file.inputs(self.proto), model_file.outputs(self.proto)

    @cached_property
    def graph(self) -> Graph:
        """The graph as the native converter reads it. Raises ConversionError if the model is malformed."""
        return converter.read(self.proto)

    @property
    def has_graph(self) -> bool:
        """Whether the graph has been read, which takes long for a large model."""
        return "graph" in self.__dict__

    def free_graph(self) -> None:
        """Free the graph and its copy of the weights. If it is needed again, it is read again."""
        self.__dict__.pop("graph", None)

    @cached_property
    def unsupported(self) -> tuple[str, ...]:
        """What the native converter cannot convert, one line each. Does not import TensorFlow."""
        try:
            return tuple(str(node) for node in converter.check(self.graph))
        except ConversionError as error:
            return (str(error),)


def load_imported(file: ModelFile) -> LoadedModel:
    """Load, repair and check an imported model. Raises ModelError and ConversionError."""
    proto, repairs = model_file.load_repaired(file)
    return LoadedModel(proto, tuple(repairs))


def load_model(run: Run) -> LoadedModel:
    """Load the run's ONNX model. Raises ModelError."""
    return LoadedModel(model_file.load(run.path / "export" / model_file.FILE))
