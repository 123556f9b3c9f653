"""Run an ONNX model through the native converter, and ONNX's own node tests.

`python -m testing.node_tests [word ...]` prints how many of ONNX's node tests pass and why the rest fail;
words select tests whose name contains one of them.
"""

import collections
import sys
import warnings

import numpy as np
import onnx
import onnx.numpy_helper
from onnx.backend.test.loader import load_model_tests

from convnet_core.convert.native import converter
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import UnsupportedOpError
from convnet_core.onnx_files.tensor_types import dtype_name
from testing.expected_failures import RANDOM_TESTS


def trace(model, examples=None):
    """The model as a concrete function: positional tensors in ONNX's input order, a list of results.

    `examples` are example inputs; a model with sequence inputs needs them to know the sequences' lengths.
    """
    function = converter.convert(converter.read(model))
    inputs = required_inputs(model)

    def call(*arguments):
        results = function(dict(zip((value.name for value in inputs), arguments, strict=True)))
        return [results[value.name] for value in model.graph.output]

    specs = [spec(value, example) for value, example in zip(inputs, examples or [None] * len(inputs), strict=True)]
    concrete = tf.function(call, autograph=False).get_concrete_function(*specs)
    concrete.converted_function = function  # keeps its variables alive
    return concrete


def spec(value, example=None):
    """The TensorSpec of a graph input; dynamic dimensions are None.

    A sequence gives a list of specs, as long as `example`; an optional without a value gives None.
    """
    if not value.type.HasField("tensor_type"):
        return _map_tensors(tf.TensorSpec.from_tensor, example)
    tensor = value.type.tensor_type
    dtype = dtype_name(tensor.elem_type)
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return tf.TensorSpec(
        shape if tensor.HasField("shape") else None, tf.string if dtype == "str" else tf.as_dtype(dtype)
    )


def run(model, inputs):
    """The model's outputs as arrays, for inputs in ONNX's order."""
    arguments = [_map_tensors(_tensor, value) for value in inputs]
    return [_map_tensors(np.asarray, value) for value in trace(model, arguments)(*arguments)]


def _tensor(value):
    array = np.asarray(value)
    return tf.constant(array.astype(str) if array.dtype.kind in "OU" else array)


def _map_tensors(function, value):
    """Apply a function to a tensor, or to each tensor of a sequence; None stays None."""
    if isinstance(value, list | tuple):
        return [_map_tensors(function, item) for item in value]
    return None if value is None else function(value)


OTHER_KINDS = ("simple", "pytorch-converted", "pytorch-operator")
"""Other ONNX tests that ship inside the package: small models of opset 6 to 12."""


def node_tests(*words, kinds=("node",)):
    """ONNX's own tests of these kinds, except those that draw random numbers."""
    for kind in kinds:
        for test in load_model_tests(kind=kind):
            if test.name not in RANDOM_TESTS and (not words or any(word in test.name for word in words)):
                yield test


def load_test(test):
    """A test's model, and its data sets: (inputs, expected outputs) as arrays."""
    model = test.model or onnx.load(f"{test.model_dir}/model.onnx")
    sets = test.data_sets if test.data_sets is not None else list(_read_data_sets(test, model))
    return model, [tuple([_to_array(value) for value in values] for values in pair) for pair in sets]


def _to_array(value):
    """ONNX's loader returns dtypes that NumPy lacks as ONNX tensors."""
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _read_data_sets(test, model):
    import glob
    import os

    for folder in sorted(glob.glob(os.path.join(test.model_dir, "test_data_set_*"))):
        yield tuple(
            [_read_array(os.path.join(folder, f"{kind}_{index}.pb"), value) for index, value in enumerate(values)]
            for kind, values in (("input", required_inputs(model)), ("output", model.graph.output))
        )


def required_inputs(model):
    """The graph inputs without an initializer."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in initialized]


def _read_array(path, value):
    with open(path, "rb") as file:
        if value.type.HasField("sequence_type"):
            return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(file.read()))
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


def check(test):
    """Raise AssertionError if an output differs from the expected one by more than the test's tolerances."""
    model, sets = load_test(test)
    for inputs, expected in sets:
        results = run(model, [_map_tensors(np.asarray, value) for value in inputs])
        assert len(results) == len(expected)
        for result, value in zip(results, expected, strict=True):
            assert_same(result, _map_tensors(np.asarray, value), test.rtol, test.atol)


def assert_same(result, expected, rtol, atol):
    """Equal shape, dtype and values."""
    if isinstance(expected, list) or expected is None:
        assert (result is None) == (expected is None)
        for one, other in zip(result or [], expected or [], strict=True):
            assert_same(one, other, rtol, atol)
        return
    assert result.shape == expected.shape, f"shape {result.shape} instead of {expected.shape}"
    if expected.dtype.kind in "OUS":
        texts = [text.decode() if isinstance(text, bytes) else text for text in result.ravel().tolist()]
        assert texts == [str(text) for text in expected.ravel().tolist()]
        return
    assert result.dtype == expected.dtype, f"dtype {result.dtype} instead of {expected.dtype}"
    if expected.dtype.kind == "V" or expected.dtype.name not in np.sctypeDict:
        result, expected = result.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def main():
    warnings.simplefilter("ignore")
    passed, reasons = 0, collections.defaultdict(list)
    total = 0
    for test in node_tests(*sys.argv[1:]):
        total += 1
        try:
            check(test)
            passed += 1
        except UnsupportedOpError as error:
            reasons[str(error).split(": ", 1)[1].split(" (node")[0]].append(test.name)
        except Exception as error:
            reasons[f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"].append(test.name)
    for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"{len(names):4} {reason}   e.g. {', '.join(names[:3])}")
    print(f"{passed} of {total} pass")


if __name__ == "__main__":
    main()
