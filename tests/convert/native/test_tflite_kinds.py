"""Operators that LiteRT lacks are built from those it has: each kind runs at two batch sizes."""

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.targets.tflite_errors import reason
from convnet_core.errors import ConversionError
from convnet_core.events import Monitor
from testing import litert
from tests.convert.native.test_operators import draw


def compare(model, *feeds, tolerance=1e-6):
    """Compare LiteRT with ONNX Runtime (optimizations off) on each list of inputs."""
    run = litert.runner(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    for arrays in feeds:
        names = [value.name for value in session.get_inputs()]
        expected = session.run(None, dict(zip(names, arrays, strict=True)))
        for result, value in zip(run(*arrays), expected, strict=True):
            assert result.dtype == value.dtype
            assert result.shape == value.shape
            bound = tolerance * max(1, np.abs(value.astype(np.float64)).max(initial=0))
            np.testing.assert_allclose(result.astype(np.float64), value.astype(np.float64), rtol=0, atol=bound)


def test_functions_that_litert_lacks():
    """Near 0, near the ends of their domains, and where exp(x) overflows float32 but exp(x) / 2 does not."""
    angles = np.float32([[0, -1e-4, 0.7, -1, 1, 0.9999999, -1.5, 3]])
    inside = np.clip(angles, -1, 1)
    large = np.float32([[0, 1e-6, -0.999, 1.001, -20, 88.9, -89.2, 100]])
    kinds = {"Tan": angles, "Asin": inside, "Acos": inside, "Atan": large, "Sinh": large, "Cosh": large, "Mish": large}
    outputs = {op: (np.float32, ["n", 8]) for op in kinds}
    nodes = [(op, [f"x{op}"], [op], {}) for op in kinds]
    run = litert.runner(litert.model(nodes, {f"x{op}": (np.float32, ["n", 8]) for op in kinds}, outputs, opset=22))
    for batch in (1, 2):
        results = dict(zip(kinds, run(*(np.repeat(x, batch, 0) for x in kinds.values())), strict=True))
        with np.errstate(over="ignore"):
            for op, x in kinds.items():
                wide = np.repeat(x, batch, 0).astype(np.float64)
                name = {"Asin": "arcsin", "Acos": "arccos", "Atan": "arctan"}.get(op, op.lower())
                exact = wide * np.tanh(np.log1p(np.exp(wide))) if op == "Mish" else getattr(np, name)(wide)
                np.testing.assert_allclose(results[op], exact.astype(np.float32), rtol=1e-5, atol=1e-9, err_msg=op)


def test_is_inf():
    kinds = {"either": {}, "above": {"detect_negative": 0}, "below": {"detect_positive": 0}}
    nodes = [("IsInf", ["x"], [name], attributes) for name, attributes in kinds.items()]
    outputs = {name: (bool, ["n", 5]) for name in kinds}
    x = np.float32([[np.inf, -np.inf, np.nan, 3.4e38, 0]])
    model = litert.model(nodes, {"x": (np.float32, ["n", 5])}, outputs)
    compare(model, [x], [np.repeat(x, 3, 0)])


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_sampling_of_images_of_seven_pixels(padding):
    """The largest index is 6: `tf.clip_by_value` from 0 to 6 would become Relu6."""
    model = litert.model(
        [("GridSample", ["x", "grid"], ["y"], {"padding_mode": padding})],
        {"x": (np.float32, ["n", 2, 7, 7]), "grid": (np.float32, ["n", 3, 4, 2])},
        {"y": (np.float32, ["n", 2, 3, 4])},
    )
    feeds = [[draw(n, 2, 7, 7), draw(n, 3, 4, 2, low=-1.5, high=1.5)] for n in (1, 3)]
    compare(model, *feeds, tolerance=1e-5)


def test_resizing_seven_values_to_a_size_from_an_input():
    nodes = [
        ("Concat", ["fixed", "size"], ["sizes"], {"axis": 0}),
        ("Resize", ["x", "", "", "sizes"], ["y"], {"coordinate_transformation_mode": "asymmetric"}),
    ]
    inputs = {"x": (np.float32, [2, 1, 7, 7]), "size": (np.int64, [2])}
    model = litert.model(nodes, inputs, {"y": (np.float32, [2, 1, "h", "w"])}, {"fixed": np.array([2, 1])})
    compare(model, [draw(2, 1, 7, 7), np.array([9, 5])], [draw(2, 1, 7, 7), np.array([3, 14])])


def test_gathers_of_a_weight():
    nodes = [
        ("TopK", ["x", "k"], ["values", "indices"], {"axis": 1}),
        ("Unsqueeze", ["indices", "last"], ["index"], {}),
        ("GatherND", ["w", "index"], ["a"], {}),
        ("Gather", ["w", "indices"], ["b"], {"axis": 1}),
        ("GatherElements", ["table", "indices"], ["c"], {"axis": 0}),
    ]
    outputs = {"a": (np.float32, ["n", 2, 4, 5]), "b": (np.float32, [4, "n", 2, 5]), "c": (np.float32, ["n", 2])}
    constants = {"w": draw(4, 4, 5), "table": draw(4, 2), "k": np.array([2]), "last": np.array([-1])}
    compare(litert.model(nodes, {"x": (np.float32, ["n", 4])}, outputs, constants), [draw(1, 4)], [draw(3, 4)])


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize(
    "pads",
    [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1],
        [0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1],
        [0, 0, 0, 0, 0, -1, 0, 2, 0, 0, 0, 0],
    ],
)
def test_padding_of_six_dimensions(mode, pads):
    shape = [3, 2, 2, 3, 2]
    sides = [a + b for a, b in zip(pads[:6], pads[6:], strict=True)]
    padded = [size + side for size, side in zip(shape, sides[1:], strict=True)]
    model = litert.model(
        [("Pad", ["x", "pads"], ["y"], {"mode": mode})],
        {"x": (np.float32, ["n", *shape])},
        {"y": (np.float32, ["n", *padded])},
        {"pads": np.array(pads)},
    )
    compare(model, [draw(1, *shape)], [draw(3, *shape)])


def test_dynamic_quantization():
    nodes = [
        ("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"], {}),
        ("MatMulInteger", ["q", "w", "zero", "zeros"], ["m"], {}),
    ]
    outputs = {"m": (np.int32, ["n", 8]), "scale": (np.float32, []), "zero": (np.uint8, [])}
    weights = np.random.default_rng(0).integers(-128, 128, (16, 8)).astype(np.int8)
    constants = {"w": weights, "zeros": np.arange(-4, 4, dtype=np.int8)}
    model = litert.model(nodes, {"x": (np.float32, ["n", 16])}, outputs, constants)
    compare(model, [draw(1, 16)], [draw(4, 16)], [np.zeros((2, 16), np.float32)])


def half_model(dtype):
    """A network with products, long sums, data movement and comparisons."""
    nodes = [
        ("Conv", ["x", "w", "b"], ["conv"], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ("Clip", ["conv", "low", "high"], ["clip"], {}),
        ("MaxPool", ["clip"], ["pool"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Concat", ["pool", "pool"], ["wide"], {"axis": 1}),
        ("Transpose", ["wide"], ["last"], {"perm": [0, 2, 3, 1]}),
        ("Slice", ["last", "start", "end", "axis"], ["part"], {}),
        ("Greater", ["part", "low"], ["above"], {}),
        ("Where", ["above", "part", "high"], ["chosen"], {}),
        ("Reshape", ["chosen", "shape"], ["flat"], {}),
        ("MatMul", ["flat", "m"], ["product"], {}),
        ("LayerNormalization", ["product", "s", "s"], ["norm"], {}),
        ("Softmax", ["norm"], ["y"], {}),
    ]
    draws = {"w": draw(4, 3, 3, 3), "b": draw(4), "m": draw(96, 5) / 9, "s": draw(5), "low": 0.0, "high": 6.0}
    constants = {name: np.asarray(value).astype(dtype) for name, value in draws.items()}
    constants |= {"start": np.array([1]), "end": np.array([4]), "axis": np.array([2]), "shape": np.array([-1, 96])}
    return litert.model(nodes, {"x": (dtype, ["n", 3, 8, 8])}, {"y": (dtype, ["n", 5])}, constants)


def test_float16_models():
    compare(half_model(np.float16), *([draw(n, 3, 8, 8).astype(np.float16)] for n in (1, 3)), tolerance=2e-3)


@pytest.mark.parametrize("equation", ["ii->i", "nii->ni", "nii->n", "nij,jj->ni", "inin->in"])
def test_diagonals_in_einsum(equation):
    left = equation.split("->")[0].split(",")
    shapes = [[{"n": "n", "i": 3, "j": 3}[letter] for letter in term] for term in left]
    inputs = {f"x{index}": (np.float32, shape) for index, shape in enumerate(shapes)}
    operator = [("Einsum", list(inputs), ["y"], {"equation": equation})]
    result = {"n": "n", "i": 3}
    model = litert.model(operator, inputs, {"y": (np.float32, [result[x] for x in equation.split("->")[1]])})
    compare(model, *([draw(*(size if size != "n" else n for size in shape)) for shape in shapes] for n in (2, 4)))


@pytest.mark.parametrize(
    ("batch", "classes", "count"), [(1, 1, 6), (2, 3, 6), ("n", 3, 6), ("n", "c", "k"), (2, 20, 6)]
)
def test_non_max_suppression(batch, classes, count):
    model = litert.model(
        [("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["y"], {})],
        {"boxes": (np.float32, [batch, count, 4]), "scores": (np.float32, [batch, classes, count])},
        {"y": (np.int64, ["selected", 3])},
        {"most": np.array([3]), "overlap": np.float32([0.4]), "least": np.float32([0.2])},
    )
    feeds = []
    for size in [batch] if batch != "n" else [1, 3]:
        boxes = draw(size, 6, 4, low=0.2, high=3.0)
        boxes[..., 2:] += boxes[..., :2]
        feeds.append([boxes, draw(size, classes if classes != "c" else 3, 6, low=0.0, high=1.0)])
    compare(model, *feeds)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("axis", [0, 1])
def test_reverse_sequence(dtype, axis):
    shape = ["n", 5, 2] if axis else [5, "n", 2]
    model = litert.model(
        [("ReverseSequence", ["x", "lengths"], ["y"], {"time_axis": axis, "batch_axis": 1 - axis})],
        {"x": (dtype, shape), "lengths": (np.int64, ["n"])},
        {"y": (dtype, shape)},
    )
    feeds = []
    for lengths in ([3], [1, 5, 4]):
        sizes = [size if size != "n" else len(lengths) for size in shape]
        feeds.append([draw(*sizes).astype(dtype), np.array(lengths)])
    compare(model, *feeds)


def test_convolutions_whose_weights_are_inputs():
    nodes = [
        ("Conv", ["x", "w", "b"], ["y"], {"group": 2, "strides": [2, 1], "pads": [1, 0, 0, 2]}),
        ("ConvTranspose", ["x", "v"], ["z"], {"group": 2, "strides": [2, 2]}),
    ]
    inputs = {
        "x": (np.float32, ["n", 4, 7, 8]),
        "w": (np.float32, [6, 2, 3, 3]),
        "b": (np.float32, [6]),
        "v": (np.float32, [4, 3, 2, 2]),
    }
    outputs = {"y": (np.float32, ["n", 6, 3, 8]), "z": (np.float32, ["n", 6, 14, 16])}
    weights = [draw(6, 2, 3, 3), draw(6), draw(4, 3, 2, 2)]
    model = litert.model(nodes, inputs, outputs)
    compare(model, *([draw(n, 4, 7, 8), *weights] for n in (1, 3)), tolerance=1e-5)


@pytest.mark.parametrize(
    ("nodes", "dtype", "line"),
    [
        ([("CumSum", ["x", "axis"], ["y"], {})], np.float64, r"Cumsum of float64 \(node CumSum_0\)"),
        ([("Acosh", ["x"], ["y"], {})], np.float32, r"Acosh \(node Acosh_0\)"),
    ],
)
def test_the_reason_names_the_operator_its_dtype_and_the_node(nodes, dtype, line):
    model = litert.model(nodes, {"x": (dtype, ["n"])}, {"y": (dtype, ["n"])}, {"axis": np.array(0)})
    with pytest.raises(ConversionError, match=rf"^TFLite fp32: not among LiteRT's built-in ops: {line}$"):
        litert.runner(model)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "<unknown>:0: error: loc(callsite(fused[\"TensorListReserve:\", \"Loop_0/TensorArrayV2@__inference_1\"] at "
            "callsite(fused[\"PartitionedCall:\", \"PartitionedCall@__inference_2\"]))): 'tf.TensorListReserve' op "
            "requires element_shape to be static during TF Lite transformation pass",
            "a loop returns results whose number or shape is known only at run time (node Loop_0)",
        ),
        (
            "Could not translate MLIR to FlatBuffer.<unknown>:0: error: loc(callsite(fused[\"Cast:\", "
            "\"block/Cast_7/Cast@__inference_1\"])): Failed to convert element type 'f8E4M3FN': Unsupported type",
            "LiteRT has no tensors of float8_e4m3fn (node block/Cast_7)",
        ),
        (
            "<unknown>:0: error: loc(fused[\"SelectV2:\", \"Where_3/SelectV2@__inference_1\"]): failed to legalize "
            "operation 'tfl.select_v2' that was explicitly marked illegal",
            "TFLite's converter does not support select_v2 (node Where_3)",
        ),
        ("<unknown>:0: error: loc(\"x\"): tensor<3xf32>", "TFLite's converter failed without a readable reason"),
        ("a plain line\nand another", "a plain line"),
    ],
)  # fmt: skip
def test_error_reasons_are_readable(text, line):
    assert reason(text) == line


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_infinite_constants_stay_infinite(kind, tmp_path):
    """Masked classes have logits of -inf."""
    nodes = [("Where", ["mask", "inf", "x"], ["y"], {}), ("Relu", ["y"], ["z"], {})]
    constants = {"mask": np.array([True, False, True]), "inf": np.float32(-np.inf)}
    outputs = {"y": (np.float32, ["n", 3]), "z": (np.float32, ["n", 3])}
    model = litert.model(nodes, {"x": (np.float32, ["n", 3])}, outputs, constants)
    convert(LoadedModel(model), tmp_path, ConvertConfig(only=(f"tflite-{kind}",)), {}, Monitor())
    run = Interpreter(model_path=str(tmp_path / f"model.{kind}.tflite")).get_signature_runner("serving_default")
    for batch in (1, 2):
        x = np.arange(3 * batch, dtype=np.float32).reshape(batch, 3)
        expected = np.where(constants["mask"], -np.inf, x)
        results = run(x=x)
        np.testing.assert_array_equal(results["y"], expected)
        np.testing.assert_array_equal(results["z"], np.maximum(expected, 0))


def test_boxes_without_area_are_selected_once():
    """LiteRT's built-in operator selects a box without area several times."""
    boxes = np.zeros((1, 6, 4), np.float32)
    boxes[0, 3:] = [[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 7, 5]]
    scores = np.float32([[[0.1, 0.5, 0.3, 0.9, 0.8, 0.4]]])
    constants = {"most": np.int64([6]), "overlap": np.float32([0.5])}
    nodes = [("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["y"], {})]
    inputs = {"boxes": (np.float32, [1, 6, 4]), "scores": (np.float32, [1, 1, 6])}
    model = litert.model(nodes, inputs, {"y": (np.int64, ["selected", 3])}, constants)
    compare(model, [boxes, scores], [np.zeros_like(boxes), scores])


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_boxes_that_overlap_exactly_at_the_threshold_are_selected(threshold):
    boxes = np.float32([[[0, 0, 1, 1], [0, 0, 1, 2], [0, 5, 1, 6], [0, 6, 1, 7]]])  # the first two share a half
    nodes = [("NonMaxSuppression", ["boxes", "scores", "most", "threshold"], ["y"], {})]
    inputs = {"boxes": (np.float32, [1, 4, 4]), "scores": (np.float32, [1, 1, 4])}
    constants = {"most": np.array([4]), "threshold": np.float32([threshold])}
    compare(litert.model(nodes, inputs, {"y": (np.int64, ["k", 3])}, constants), [boxes, np.float32([[[4, 3, 2, 1]]])])
