"""A random graph that grows node by node.

To add an operator, add a function with `@node` to `random_compute_nodes.py` or `random_movement_nodes.py`. It takes the
draft and returns the inputs and attributes of a new node.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper
from hypothesis import assume, reject
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

OPSET = 21
FLOATS = ("float32", "float64", "float16")
INTEGERS = ("int32", "int64", "int8", "uint8")
NUMBERS = (*FLOATS, *INTEGERS)
SIGNED = (*FLOATS, "int32", "int64", "int8")
SIZES = st.sampled_from([2, 3, 1, 4, 2, 3, 0])
SHAPES = st.lists(SIZES, max_size=4).map(tuple)
MAX_SIZE = 5_000
"""Largest number of values in one tensor."""

NODES = {}


def node(*ops):
    """Register a function that draws a node of one of these operators."""

    def register(function):
        NODES.update(dict.fromkeys(ops, function))
        return function

    return register


@dataclass
class Draft:
    """A graph under construction: values by tensor name, the names of inputs and constants, and the nodes."""

    draw: object
    values: dict = field(default_factory=dict)
    inputs: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    sized: set = field(default_factory=set)
    """Inputs whose shapes the converter must know."""
    nodes: list = field(default_factory=list)

    def new(self, array, constant=None):
        """Add an input or a constant; return its name."""
        name = f"t{len(self.values)}"
        self.values[name] = np.asarray(array)
        fixed = self.draw(st.booleans()) if constant is None else constant
        (self.constants if fixed else self.inputs).append(name)
        return name

    def const(self, *numbers, dtype="int64"):
        """Add a constant vector; return its name."""
        return self.new(np.array(numbers, dtype).reshape(len(numbers)), constant=True)

    def pick(self, dtypes=NUMBERS, least=0, most=4, exact=False):
        """The name of a tensor with one of these dtypes and `least` to `most` dimensions.

        `exact` leaves out computed floats, whose rounding could change the output of a discontinuous operator.
        """
        exact_names = {*self.inputs, *self.constants}
        candidates = [
            name
            for name, value in self.values.items()
            if value.dtype.name in dtypes
            and least <= value.ndim <= most
            and not (exact and value.dtype.kind == "f" and name not in exact_names)
        ]
        if candidates and self.draw(st.integers(0, 3)):
            return self.draw(st.sampled_from(candidates))
        shape = self.draw(st.lists(SIZES, min_size=least, max_size=most))
        return self.new(self.array(self.draw(st.sampled_from(dtypes)), shape))

    def array(self, dtype, shape):
        """Random values around zero."""
        rng = np.random.default_rng(self.draw(st.integers(0, 99)))
        if dtype == "bool":
            return rng.random(shape) < 0.5
        if dtype in FLOATS:
            return (rng.standard_normal(shape) * 2).astype(dtype)
        return rng.integers(0 if dtype.startswith("u") else -5, 6, shape).astype(dtype)

    def like(self, name, dtype=None):
        """Add a tensor that broadcasts with `name`: fewer dimensions, sizes of 1, or an extra leading dimension."""
        array = self.values[name]
        shape = [self.draw(st.sampled_from([size, size, 1])) for size in array.shape]
        cut = self.draw(st.integers(-1, len(shape)))
        shape = [2, *shape] if cut < 0 else shape[cut:]
        return self.new(self.array(dtype or array.dtype.name, shape))

    def axis(self, rank):
        """One dimension, counted from the front or from the end."""
        assume(rank)
        return self.draw(st.integers(-rank, rank - 1))

    def axes(self, rank):
        """Some dimensions, each once."""
        chosen = self.draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank)) if rank else []
        return [axis - rank * self.draw(st.booleans()) for axis in chosen]

    def flag(self):
        """0 or 1."""
        return int(self.draw(st.booleans()))

    def add(self, op):
        """Draw a node, run it, and store its results."""
        inputs, attributes, *count = NODES[op](self)
        names = [f"t{len(self.values) + index}" for index in range(count[0] if count else 1)]
        proto = oh.make_node(op, inputs, names, name=f"node_{len(self.nodes)}", **attributes)
        feeds = {name: self.values[name] for name in inputs if name}
        try:
            results = run_reference([proto], feeds, names)
        except (TypeError, ValueError):  # onnx 1.23.2: Softsign of a scalar, Reshape of an empty tensor, ArgMax, ..
            reject()
        for name, value in zip(names, results, strict=True):
            assume(isinstance(value, np.ndarray | np.generic) and value.size <= MAX_SIZE and is_tame(value))
            self.values[name] = np.asarray(value)
        self.nodes.append(proto)


def is_tame(value):
    """Whether all values are finite and small, so rounding errors stay small in later nodes."""
    return value.dtype.kind != "f" or bool(np.isfinite(value).all() and (np.abs(value) < 1e4).all())


def run_reference(nodes, feeds, outputs):
    """The outputs of onnx.reference."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return ReferenceEvaluator(model_of(nodes, feeds, (), outputs, {})).run(None, feeds)


def model_of(nodes, values, constants, outputs, free):
    """The model; `free` maps an input's name to its dynamic axes."""

    def port(name):
        value = values[name]
        shape = [f"{name}_{axis}" if axis in free.get(name, ()) else size for axis, size in enumerate(value.shape)]
        return oh.make_tensor_value_info(name, oh.np_dtype_to_tensor_dtype(value.dtype), shape)

    weights = [onnx.numpy_helper.from_array(values[name], name) for name in constants]
    results = [
        port(name) if name in values else oh.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None)
        for name in outputs
    ]
    graph = oh.make_graph(
        nodes, "random", [port(name) for name in values if name in free or not free], results, weights
    )
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", OPSET)], ir_version=10)
