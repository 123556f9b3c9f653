"""The whole file: imports, functions, `build`, `load`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx

from convnet_core.convert.keras_source.functions import Functions
from convnet_core.convert.keras_source.loops import roll_up
from convnet_core.convert.keras_source.modules import block_tree, modules_of
from convnet_core.convert.keras_source.printer import INPUT, Printer, literal
from convnet_core.convert.keras_source.statements import write_statements
from convnet_core.convert.keras_source.syntax import Call, Expression, Function, Item, walk
from convnet_core.convert.keras_source.wrapping import wrap
from convnet_core.convert.native.converter import optimize, read
from convnet_core.convert.native.ir import Graph
from convnet_core.tensors.arrays import Array

_WEIGHT = '''class Weight(layers.Layer):
    """A learned tensor that no other layer holds; `each` repeats it for every sample of x."""

    def __init__(self, shape, *, each=False, **options):
        super().__init__(**options)
        self.shape, self.each = shape, each

    def build(self, _):
        self.value = self.add_weight(shape=self.shape, name="value")

    def call(self, x):
        return ops.repeat(self.value, ops.shape(x)[0], axis=0) if self.each else self.value + 0

    def compute_output_shape(self, x):
        return (x[0] if self.each else self.shape[0], *self.shape[1:])'''


@dataclass(frozen=True)
class Source:
    """The text of `model.py`.

    `weights` has the arrays of each layer by its name, in the order of its weights in Keras. Images are channels last:
    dimension i of an input or output is dimension layouts[name][i] in the ONNX model.
    """

    text: str
    weights: dict[str, list[Array]]
    layouts: dict[str, tuple[int, ...]]


def write_source(model: onnx.ModelProto) -> Source:
    """Write a model as Keras code. Raises ConversionError for a node that has none."""
    graph = optimize(read(model), "nhwc")
    written = write_statements(graph, modules_of(model))
    functions = Functions(graph.outputs)
    body = functions.flatten(block_tree(written.placed))
    printer = Printer(functions.functions)
    lines = ["from keras import Input, Model, layers, ops", ""]
    if any(_uses_weight(item.statement.value) for item in written.placed):
        lines += ["", *_WEIGHT.splitlines(), ""]
    for function in functions.functions:
        lines += ["", *_function(function, printer), ""]
    lines += ["", "def build():", *(f"    {line}" for line in _build(graph, body, printer)), ""]
    return Source("\n".join(lines), {".".join(path): arrays for path, arrays in written.weights.items()}, graph.layouts)


def _build(graph: Graph, body: Sequence[Item], printer: Printer) -> Iterator[str]:
    """The lines of `build`."""
    names = [f"{INPUT}s"] if len(graph.inputs) == 1 else [f"{INPUT}_{index}" for index in range(len(graph.inputs))]
    for name, info in zip(names, graph.inputs, strict=True):
        yield f"{name} = Input({literal(tuple(info.shape[1:]))}, name={literal(info.name)})"
    held = {info.name: name for name, info in zip(names, graph.inputs, strict=True)}
    yield from printer.body(roll_up(body), graph.outputs, held)
    inputs, outputs = (
        values[0] if len(values) == 1 else f"[{', '.join(values)}]"
        for values in (names, [printer.variable(name) for name in graph.outputs])
    )
    yield f"return Model({inputs}, {outputs})"


def _uses_weight(item: Expression) -> bool:
    return any(isinstance(inner, Call) and inner.function == "Weight" for inner in walk(item))


def _function(function: Function, printer: Printer) -> list[str]:
    names = [*("x" if index == 0 else f"x{index + 1}" for index in range(len(function.inputs)))]
    required = [name for name in function.parameters if name not in function.defaults]
    optional = [
        f"{name}={literal(function.defaults[name])}" for name in function.parameters if name in function.defaults
    ]
    parameters = ", ".join([*names, "*", *required, *optional, "name"])
    lines = wrap(f"def {function.name}({parameters}):", 0)
    body = list(
        printer.body(roll_up(list(function.items)), function.outputs, dict(zip(function.inputs, names, strict=True)))
    )
    lines += [f"    {line}" for line in body]
    lines.append(f"    return {', '.join(printer.variable(name) for name in function.outputs)}")
    return lines
