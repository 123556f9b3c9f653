"""Random example inputs for any model, drawn from its input declarations."""

import numpy as np
import pytest

from convnet_core.errors import ModelError
from convnet_core.tensors.arrays import DYNAMIC_SIZE, TensorInfo, example_feeds, fixed_batch


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("float32", 0, 1),
        ("float64", 0, 1),
        ("float16", 0, 1),
        ("int64", 0, 1),
        ("int32", 0, 1),
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("bool", 0, 1),
    ],
)
def test_examples_have_the_declared_dtype_and_shape_and_fill_the_range(rng, dtype, low, high):
    (array,) = example_feeds([TensorInfo("x", dtype, (None, 3, 50))], 4, rng).values()
    assert array.dtype == dtype
    assert array.shape == (4, 3, 50)
    values = array.astype(np.float64)
    assert low <= values.min() < values.max() <= high
    assert values.max() - values.min() > 0.9 * (high - low)


def test_bfloat16_examples_need_ml_dtypes(rng):
    pytest.importorskip("ml_dtypes")
    assert example_feeds([TensorInfo("x", "bfloat16", (None, 2))], 3, rng)["x"].dtype.name == "bfloat16"


def test_every_input_gets_an_array_and_only_dynamic_dimensions_change(rng):
    inputs = [
        TensorInfo("image", "float32", (None, 3, None, 32)),
        TensorInfo("anchors", "float32", (9, 4)),
        TensorInfo("threshold", "float32", ()),
    ]
    shapes = {name: array.shape for name, array in example_feeds(inputs, 5, rng).items()}
    assert shapes == {"image": (5, 3, DYNAMIC_SIZE, 32), "anchors": (9, 4), "threshold": ()}
    assert fixed_batch(inputs) is None


def test_a_fixed_batch_size_cannot_be_changed(rng):
    inputs = [TensorInfo("x", "float32", (2, 3))]
    assert fixed_batch(inputs) == 2
    assert example_feeds(inputs, 2, rng)["x"].shape == (2, 3)
    with pytest.raises(ModelError, match="only accepts batches of 2"):
        example_feeds(inputs, 1, rng)


def test_the_same_seed_gives_the_same_examples():
    inputs = [TensorInfo("x", "float32", (None, 3)), TensorInfo("y", "int64", (None,))]
    first, second = (example_feeds(inputs, 2, np.random.default_rng(7)) for _ in range(2))
    for name in ("x", "y"):
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("dtype", ["nonsense"])
def test_an_unknown_dtype_is_an_error_that_names_the_input(rng, dtype):
    with pytest.raises(ModelError, match="'x'"):
        example_feeds([TensorInfo("x", dtype, (None,))], 1, rng)
