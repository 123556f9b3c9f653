"""Run an ONNX model through the native converter, and ONNX's own node tests.

`python -m testing.node_tests [word ...]` prints how many of ONNX's node tests pass, and why the others do
not; words choose tests whose names hold one of them.
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
from testing.expected_failures import DRAWN


def traced(model, given=None):
    """The model as a concrete function: positional tensors in the order of the ONNX inputs, a list of results.

    `given` are inputs to tell the length of sequences by, where the model takes any.
    """
    function = converter.convert(model)
    inputs = fed(model)

    def call(*arguments):
        results = function(dict(zip((value.name for value in inputs), arguments, strict=True)))
        return [results[value.name] for value in model.graph.output]

    specs = [spec(value, known) for value, known in zip(inputs, given or [None] * len(inputs), strict=True)]
    concrete = tf.function(call, autograph=False).get_concrete_function(*specs)
    concrete.kept = function  # its variables live as long as it
    return concrete


def spec(value, given=None):
    """What a graph input takes, as a TensorSpec; a dimension is None where it is dynamic.

    A sequence is a list of them, as long as the given one; an optional without a value is None.
    """
    if not value.type.HasField("tensor_type"):
        return _each(tf.TensorSpec.from_tensor, given)
    tensor = value.type.tensor_type
    dtype = dtype_name(tensor.elem_type)
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return tf.TensorSpec(
        shape if tensor.HasField("shape") else None, tf.string if dtype == "str" else tf.as_dtype(dtype)
    )


def run(model, inputs):
    """The outputs of a model for inputs in ONNX's order, as arrays."""
    arguments = [_each(_tensor, value) for value in inputs]
    return [_each(np.asarray, value) for value in traced(model, arguments)(*arguments)]


def _tensor(value):
    array = np.asarray(value)
    return tf.constant(array.astype(str) if array.dtype.kind in "OU" else array)


def _each(function, value):
    """A function of a tensor, of each of a sequence, or of none."""
    if isinstance(value, list | tuple):
        return [_each(function, item) for item in value]
    return None if value is None else function(value)


OTHERS = ("simple", "pytorch-converted", "pytorch-operator")
"""The other kinds of ONNX's own tests that ship inside the package: small models, of opset 6 to 12."""


def node_tests(*words, kinds=("node",)):
    """ONNX's own tests: of single operators, or of other kinds. Those that draw random numbers are left out."""
    for kind in kinds:
        for test in load_model_tests(kind=kind):
            if test.name not in DRAWN and (not words or any(word in test.name for word in words)):
                yield test


def loaded(test):
    """The model of a test, and its data sets: inputs and expected outputs as arrays."""
    model = test.model or onnx.load(f"{test.model_dir}/model.onnx")
    sets = test.data_sets if test.data_sets is not None else list(_stored(test, model))
    return model, [tuple([_plain(value) for value in values] for values in pair) for pair in sets]


def _plain(value):
    """Dtypes that NumPy lacks come as ONNX tensors."""
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _stored(test, model):
    import glob
    import os

    for folder in sorted(glob.glob(os.path.join(test.model_dir, "test_data_set_*"))):
        yield tuple(
            [_array(os.path.join(folder, f"{kind}_{index}.pb"), value) for index, value in enumerate(values)]
            for kind, values in (("input", fed(model)), ("output", model.graph.output))
        )


def fed(model):
    """The inputs of a model that it has no value for."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in initialized]


def _array(path, value):
    with open(path, "rb") as file:
        if value.type.HasField("sequence_type"):
            return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(file.read()))
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


def check(test):
    """Raises where the converter's answer is not the expected one, by the test's own tolerances."""
    model, sets = loaded(test)
    for inputs, expected in sets:
        got = run(model, [_each(np.asarray, value) for value in inputs])
        assert len(got) == len(expected)
        for result, value in zip(got, expected, strict=True):
            same(result, _each(np.asarray, value), test.rtol, test.atol)


def same(result, expected, rtol, atol):
    """Equal shape, dtype and values."""
    if isinstance(expected, list) or expected is None:
        assert (result is None) == (expected is None)
        for one, other in zip(result or [], expected or [], strict=True):
            same(one, other, rtol, atol)
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
