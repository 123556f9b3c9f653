"""Spatial operators, compared with ONNX Runtime: combinations of attributes, and dynamic dimensions."""

import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from testing.node_tests import run, trace
from tests.convert.native.test_operators import compare, draw, model_of


def compare_both(op, *inputs, constants=(), tolerance=3e-6, **attributes):
    """Compare with all dimensions dynamic, and with all of them static."""
    compare(op, *inputs, constants=constants, tolerance=tolerance, **attributes)
    opset = attributes.pop("opset", 21)
    model = model_of(op, inputs, attributes.pop("outputs", 1), opset, constants, **attributes)
    feeds = {f"x{index}": value for index, value in enumerate(inputs) if value is not None and index not in constants}
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, feeds[value.name].shape, strict=True):
            dim.dim_value = size
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for result, value in zip(run(model, list(feeds.values())), expected, strict=True):
        assert result.shape == value.shape
        np.testing.assert_allclose(result, value, rtol=0, atol=tolerance * max(1, np.abs(value).max(initial=0)))


CONVOLUTIONS = [
    ((9,), 1, (3,), {"pads": [2, 1], "strides": [2]}),
    ((9,), 2, (3,), {"pads": [2, 2], "dilations": [2]}),
    ((8, 9), 1, (3, 3), {"pads": [1, 1, 1, 1]}),  # TensorFlow's SAME
    ((8, 9), 1, (3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),  # SAME for the width only
    ((8, 8), 1, (3, 4), {"pads": [0, 1, 2, 1], "strides": [2, 1], "dilations": [1, 2]}),
    ((8, 9), 1, (2, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((8, 9), 1, (2, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ((8, 9), 1, (2, 4), {"auto_pad": "VALID"}),
    ((8, 9), 4, (3, 3), {"pads": [1, 0, 1, 2], "strides": [2, 2]}),  # depthwise
    ((8, 9), 4, (3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 1]}),  # TensorFlow's depthwise cannot do this
    ((8, 9), 4, (3, 3), {"dilations": [2, 2]}),
    ((8, 9), 2, (3, 1), {}),
    ((5, 6, 7), 1, (3, 2, 3), {"pads": [1, 0, 1, 0, 1, 1], "strides": [2, 1, 2]}),
    ((5, 6, 7), 1, (3, 1, 1), {"pads": [1, 0, 0, 1, 0, 0]}),
    ((5, 6, 7), 1, (1, 3, 3), {"pads": [0, 1, 1, 0, 1, 1]}),
    ((5, 6, 7), 2, (2, 2, 2), {"dilations": [2, 1, 3], "auto_pad": "VALID"}),
]


@pytest.mark.parametrize(("space", "group", "kernel", "attributes"), CONVOLUTIONS)
def test_conv(space, group, kernel, attributes):
    x, w, b = draw(2, 4, *space), draw(8, 4 // group, *kernel), draw(8)
    compare_both("Conv", x, w, b, constants=(1, 2), group=group, **attributes)
    compare_both("Conv", x, w, constants=(1,), group=group, **attributes)
    compare_both("Conv", x, w, b, group=group, kernel_shape=list(kernel), **attributes)  # weights as inputs


@pytest.mark.parametrize(
    ("space", "group", "kernel", "attributes"),
    [
        ((5,), 1, (4,), {"strides": [2], "pads": [1, 1]}),
        ((5, 4), 1, (4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),  # TensorFlow's SAME
        ((5, 4), 1, (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((5, 4), 1, (2, 2), {"strides": [3, 2], "output_padding": [2, 0]}),
        ((5, 4), 1, (3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ((5, 4), 1, (3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
        ((5, 4), 1, (3, 3), {"strides": [2, 2], "output_shape": [10, 9]}),
        ((5, 4), 1, (3, 2), {"strides": [2, 2], "dilations": [2, 3], "pads": [1, 0, 2, 1]}),
        ((5, 4), 2, (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 0]}),
        ((5, 4), 4, (4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((3, 4, 2), 1, (3, 3, 3), {"strides": [2, 1, 2], "pads": [1] * 6}),
        ((3, 4, 2), 2, (2, 2, 2), {"strides": [2, 2, 2]}),
    ],
)
def test_conv_transpose(space, group, kernel, attributes):
    inputs = draw(2, 4, *space), draw(4, 3, *kernel), draw(3 * group)
    compare_both("ConvTranspose", *inputs, constants=(1, 2), group=group, **attributes)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats(dtype):
    x, w = draw(2, 4, 6, 6, dtype=dtype), draw(4, 4, 3, 3, dtype=dtype)
    model = model_of("Conv", [x, w], constants=(1,), pads=[1] * 4)
    exact = model_of("Conv", [x.astype(np.float32), w.astype(np.float32)], constants=(1,), pads=[1] * 4)
    (result,), (expected,) = run(model, [x]), run(exact, [x.astype(np.float32)])
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-2 if dtype == np.float16 else 1e-4)


POOLS = [
    {"kernel_shape": [3], "strides": [2], "pads": [1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [2, 3], "strides": [3, 2], "ceil_mode": 1},
    {"kernel_shape": [4, 3], "pads": [3, 0, 1, 2], "strides": [1, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 1]},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 1]},
    {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 1, 2, 0], "ceil_mode": 1, "strides": [2, 2]},
    {"kernel_shape": [2, 3, 3], "strides": [2, 2, 2], "pads": [0, 1, 1, 1, 1, 1], "ceil_mode": 1},
]


@pytest.mark.parametrize("attributes", POOLS)
def test_pools(attributes):
    x = draw(2, 3, *(7, 8, 5)[: len(attributes["kernel_shape"])]) - 10  # negative: zero padding would show
    compare_both("MaxPool", x, opset=22, **attributes)
    compare_both("MaxPool", x, opset=22, outputs=2, **attributes)
    compare_both("AveragePool", x, opset=22, **attributes)
    compare_both("AveragePool", x, opset=22, count_include_pad=1, **attributes)
    compare_both("LpPool", x, opset=22, p=3, **attributes)


def test_max_pool_after_relu_and_int8():
    """After a Relu, zeros are valid padding for a maximum; no pool pads with -inf."""
    x = draw(1, 2, 6, 6)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        helper.make_node("MaxPool", ["x"], ["z"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1),
    ]
    infos = [helper.make_tensor_value_info(name, 1, [None, 2, 6, 6] if name == "x" else None) for name in "xyz"]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for result, value in zip(run(model, [x]), expected, strict=True):
        np.testing.assert_array_equal(result, value)
    assert {op.type for op in trace(model).graph.get_operations()} >= {"Pad", "MirrorPad"}
    assert "PadV2" not in {op.type for op in trace(model).graph.get_operations()}


NORMALIZATIONS = [
    ("BatchNormalization", (4, 5), 4, {"epsilon": 1e-6}),
    ("BatchNormalization", (2, 5), 4, {"opset": 9}),
    ("InstanceNormalization", (4, 5), 2, {"epsilon": 1e-3}),
    ("GroupNormalization", (4, 5), 2, {"num_groups": 2}),
]


@pytest.mark.parametrize(("op", "space", "count", "attributes"), NORMALIZATIONS)
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_normalization(op, space, count, attributes, rank):
    x = draw(2, 4, *(4, 5, 3)[: rank - 2])
    statistics = [np.abs(draw(4) + index) + 0.1 for index in range(count)]
    compare_both(op, x, *statistics, constants=range(1, count + 1), **attributes)


def test_group_normalization_by_groups():
    """Before version 21, there was a scale for each group."""
    x, scale, bias = draw(2, 4, 3, 3), np.float32([1, 2]), np.float32([-1, 3])
    old = model_of("GroupNormalization", [x, scale, bias], 1, 18, (1, 2), num_groups=2)
    new = model_of("GroupNormalization", [x, scale.repeat(2), bias.repeat(2)], 1, 21, (1, 2), num_groups=2)
    np.testing.assert_allclose(run(old, [x])[0], run(new, [x])[0], atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("scale", [[2, 3], [2, 2.5], [0.6, 1.3]])
@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
def test_resize(mode, scale, coordinates):
    x, scales = draw(2, 3, 5, 7), np.float32([1, 1, *scale])
    rounding = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil") if mode == "nearest" else ("floor",)
    for nearest in rounding:
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": nearest}
        compare_both("Resize", x, None, scales, constants=(2,), tolerance=1e-5, **attributes)
        if mode != "nearest" and coordinates != "align_corners":
            compare_both("Resize", x, None, scales, constants=(2,), tolerance=1e-5, antialias=1, **attributes)


@pytest.mark.parametrize("space", [(5,), (5, 6), (3, 4, 5)])
def test_resize_to_sizes(space):
    x, sizes = draw(2, 3, *space), np.array([2, 3, *(2 * size + 1 for size in space)])
    for mode in ("nearest", "linear"):
        compare_both("Resize", x, None, None, sizes, constants=(3,), tolerance=1e-5, mode=mode)
    policy = {"keep_aspect_ratio_policy": "not_larger", "axes": list(range(2, x.ndim)), "mode": "nearest"}
    compare_both("Resize", x, None, None, sizes[2:] + np.arange(len(space)), constants=(3,), **policy)


def test_an_unchanged_size_is_resampled_too():
    """9 rows become 10, so 4 columns become 4.4, rounded to 4: as many columns, with other values."""
    policy = {"keep_aspect_ratio_policy": "not_larger", "axes": [2, 3], "mode": "linear"}
    compare_both("Resize", draw(1, 2, 9, 4), None, None, np.array([10, 20]), constants=(3,), tolerance=1e-5, **policy)


def test_resize_with_a_dynamic_batch_does_not_resample_the_batch():
    """As exporters write interpolate(x, y.shape[2:])."""
    nodes = [
        helper.make_node("Shape", ["x"], ["n"], start=0, end=2),
        helper.make_node("Concat", ["n", "size"], ["sizes"], axis=0),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(np.array([9, 7]), "size")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    concrete = trace(model)
    kinds = [op.type for op in concrete.graph.get_operations()]
    assert "ResizeBilinear" in kinds
    assert "BatchMatMulV2" not in kinds
    assert concrete.outputs[0].shape.as_list() == [None, 3, 9, 7]


def test_pixel_shuffles():
    for mode in ("DCR", "CRD"):
        x = draw(2, 12, 3, 4)
        model = model_of("DepthToSpace", [x], blocksize=2, mode=mode)
        for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (None, 12, None, None), strict=True):
            if size:
                dim.dim_value = size
        expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x0": x})
        np.testing.assert_array_equal(run(model, [x])[0], expected[0])


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [0, 1])
def test_grid_sample(mode, padding, align):
    grid = np.random.default_rng(0).uniform(-2.2, 2.2, (2, 4, 6, 2)).astype(np.float32)
    compare_both(
        "GridSample",
        draw(2, 3, 5, 7),
        grid,
        mode=mode,
        padding_mode=padding,
        align_corners=align,
        tolerance=1e-5,
        opset=20,
    )


@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_pools(ratio, mode):
    rois = np.float32([[0, 0, 9, 5], [-3, 2, 2, 30], [4, 4, 4.2, 4.1], [30, 30, 40, 50]])
    batch = np.array([0, 1, 1, 0])
    attributes = {"output_height": 3, "output_width": 2, "sampling_ratio": ratio, "spatial_scale": 0.5, "mode": mode}
    compare_both("RoiAlign", draw(2, 3, 6, 9), rois, batch, opset=16, tolerance=1e-5, **attributes)
    rounded_rois = np.concatenate([batch[:, None], np.round(rois)], axis=1).astype(np.float32)
    compare_both("MaxRoiPool", draw(2, 3, 6, 9), rounded_rois, opset=21, pooled_shape=[3, 2], spatial_scale=0.5)


def test_integer_convolutions():
    """Sums that float32 could not represent exactly."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (1, 64, 6, 6), np.uint8), rng.integers(0, 256, (4, 64, 3, 3), np.uint8)
    zero = np.uint8(3)
    compare_both("ConvInteger", x, w, zero, np.uint8(250), constants=(1, 2, 3), pads=[1] * 4)
    scales = np.float32(0.02), np.float32([0.1, 0.2, 0.3, 0.4]), np.float32(30)
    bias = np.array([1000, -1000, 5, 0], np.int32)
    inputs = (x, scales[0], zero, w, scales[1], np.full(4, 120, np.uint8), scales[2], np.uint8(100), bias)
    compare_both("QLinearConv", *inputs, constants=range(1, 9), pads=[1] * 4, tolerance=0)


_GROUPED = """
import numpy as np
from onnx import helper, numpy_helper
from testing.node_tests import run
rng = np.random.default_rng(0)
w, b, v = rng.random((8, 2, 3, 3), np.float32), rng.random(8, np.float32), rng.random(8, np.float32)
nodes = [
    helper.make_node("Conv", ["x", "w", "b"], ["a"], group=4),
    helper.make_node("Relu", ["a"], ["r"]),
    helper.make_node("Conv", ["x", "w"], ["c"], group=4),
    helper.make_node("BatchNormalization", ["c", "v", "b", "b", "v"], ["d"]),
    helper.make_node("Relu", ["d"], ["y"]),
]
infos = [helper.make_tensor_value_info(name, 1, [1, 8, 9, 9] if name == "x" else None) for name in "xry"]
weights = [numpy_helper.from_array(value, name) for name, value in (("w", w), ("b", b), ("v", v))]
graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
print([value.shape for value in run(model, [rng.random((1, 8, 9, 9), np.float32)])])
"""


def test_grouped_convolutions_run_without_onednn():
    """Without oneDNN, TensorFlow's fused convolutions refuse groups."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", _GROUPED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[(1, 8, 7, 7), (1, 8, 7, 7)]"
