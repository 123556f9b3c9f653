"""Whole models written by ONNX Runtime's tools: an optimized BERT, a network of QLinear operators."""

import collections
import math
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.transformers import optimizer
from torch import nn

from convnet_core.convert.loaded_model import load_imported
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.onnx_files.model_file import open_file
from testing import node_tests

HIDDEN, HEADS = 16, 2


class Layer(nn.Module):
    """A BERT layer in the form of the early exporters, which the optimizer recognizes."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.wide, self.narrow = nn.Linear(HIDDEN, 32), nn.Linear(32, HIDDEN)
        self.first, self.second = nn.LayerNorm(HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x, mask):
        def heads(y):
            return y.view(y.shape[0], y.shape[1], HEADS, HIDDEN // HEADS).permute(0, 2, 1, 3)

        q, k, v = heads(self.q(x)), heads(self.k(x)), heads(self.v(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(HIDDEN // HEADS) + mask
        y = torch.matmul(scores.softmax(-1), v).permute(0, 2, 1, 3).contiguous()
        x = self.first(self.o(y.view(y.shape[0], y.shape[1], HIDDEN)) + x)
        return self.second(self.narrow(nn.functional.gelu(self.wide(x))) + x)


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.segments = (
            nn.Embedding(20, HIDDEN),
            nn.Embedding(12, HIDDEN),
            nn.Embedding(2, HIDDEN),
        )
        self.norm, self.layers = nn.LayerNorm(HIDDEN), nn.ModuleList([Layer(), Layer()])
        self.register_buffer("ids", torch.arange(12)[None])

    def forward(self, words, mask, segments):
        hidden = (1.0 - mask[:, None, None, :].float()) * -10000.0
        x = self.words(words) + self.segments(segments) + self.places(self.ids[:, : words.shape[1]])
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, hidden)
        return x


NAMES = ["input_ids", "attention_mask", "token_type_ids"]


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory):
    """A folder with a small BERT: as exported, fused by the optimizer, and saved by a session (opset 14)."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    example = (
        torch.zeros(2, 8, dtype=torch.int64),
        torch.ones(2, 8, dtype=torch.int64),
        torch.zeros(2, 8, dtype=torch.int64),
    )
    axes = {name: {0: "batch", 1: "steps"} for name in [*NAMES, "y"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Bert().eval(), example, folder / "plain.onnx", dynamo=False, opset_version=14,
            input_names=NAMES, output_names=["y"], dynamic_axes=axes,
        )  # fmt: skip
    fused = optimizer.optimize_model(
        str(folder / "plain.onnx"), model_type="bert", num_heads=HEADS, hidden_size=HIDDEN, opt_level=0
    )
    fused.save_model_to_file(str(folder / "fused.onnx"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "session.onnx")
    onnxruntime.InferenceSession(str(folder / "plain.onnx"), options, providers=["CPUExecutionProvider"])
    return folder


def token_inputs():
    rng = np.random.default_rng(0)
    mask = np.array([[1] * 7, [1] * 4 + [0] * 3])
    return dict(zip(NAMES, (rng.integers(0, 20, (2, 7)), mask, rng.integers(0, 2, (2, 7))), strict=True))


def expected_of(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("kind", ["plain", "fused", "session"])
def test_a_bert_matches_onnx_runtime(bert_folder, kind):
    loaded = load_imported(open_file(bert_folder / f"{kind}.onnx"))
    assert not loaded.unsupported
    feeds = token_inputs()
    (got,) = node_tests.run(loaded.proto, list(feeds.values()))
    np.testing.assert_allclose(got, expected_of(bert_folder / f"{kind}.onnx", feeds), atol=1e-5)


def test_the_optimized_berts_contain_fused_operators(bert_folder):
    ops = collections.Counter(node.op_type for node in onnx.load(bert_folder / "fused.onnx").graph.node)
    assert {"EmbedLayerNormalization", "Attention", "SkipLayerNormalization", "BiasGelu"} <= ops.keys()
    ops = collections.Counter(node.op_type for node in onnx.load(bert_folder / "session.onnx").graph.node)
    assert {"FusedMatMul", "LayerNormalization", "BiasGelu"} <= ops.keys()


@pytest.mark.parametrize("kind", ["plain", "fused", "session"])
def test_a_bert_runs_as_tflite(bert_folder, kind):
    feeds = token_inputs()
    model = load_imported(open_file(bert_folder / f"{kind}.onnx")).proto
    np.testing.assert_allclose(run_in_tflite(model, feeds), expected_of(bert_folder / f"{kind}.onnx", feeds), atol=1e-5)


def run_in_tflite(model, feeds):
    """The output of the TFLite interpreter; only built-in operators are allowed."""
    concrete = node_tests.trace(model)
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], concrete.converted_function).convert()
    interpreter = Interpreter(model_content=content)
    details = interpreter.get_input_details()
    order = [detail["index"] for detail in sorted(details, key=lambda item: item["name"])]
    for index, array in zip(order, feeds.values(), strict=True):
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for index, array in zip(order, feeds.values(), strict=True):
        interpreter.set_tensor(index, array)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


class Samples(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(np.random.default_rng(1).standard_normal((8, 1, 3, 8, 8)).astype(np.float32))

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"x": row}


@pytest.fixture(scope="module")
def quantized_model(tmp_path_factory):
    """The path of a network that quantize_static has written with QLinear operators."""
    folder, rng = tmp_path_factory.mktemp("qlinear"), np.random.default_rng(0)
    weights = {"w": (4, 3, 3, 3), "v": (4, 4, 3, 3), "m": (8, 5), "b": (5,)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4, name="a"),
        helper.make_node("LeakyRelu", ["a"], ["l"], alpha=0.1, name="l"),
        helper.make_node("Conv", ["l", "v"], ["c"], pads=[1] * 4, name="c"),
        helper.make_node("Add", ["c", "l"], ["d"], name="d"),
        helper.make_node("Sigmoid", ["d"], ["e"], name="e"),
        helper.make_node("Mul", ["d", "e"], ["f"], name="f"),
        helper.make_node("AveragePool", ["f"], ["g"], kernel_shape=[2, 2], strides=[2, 2], name="g"),
        helper.make_node("Concat", ["g", "g"], ["h"], axis=1, name="h"),
        helper.make_node("GlobalAveragePool", ["h"], ["i"], name="i"),
        helper.make_node("Flatten", ["i"], ["j"], name="j"),
        helper.make_node("Gemm", ["j", "m", "b"], ["k"], name="k"),
        helper.make_node("Softmax", ["k"], ["y"], axis=-1, name="y"),
    ]
    ports = [
        helper.make_tensor_value_info(name, T.FLOAT, shape) for name, shape in (("x", ["n", 3, 8, 8]), ("y", ["n", 5]))
    ]
    initializers = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name) for name, shape in weights.items()
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "f.onnx")
    quantize_static(folder / "f.onnx", folder / "q.onnx", Samples(), quant_format=QuantFormat.QOperator)
    return folder / "q.onnx"


def test_a_network_of_qlinear_operators_matches_onnx_runtime(quantized_model):
    ops = {node.op_type for node in onnx.load(quantized_model).graph.node}
    assert {"QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearConcat", "QGemm"} <= ops
    loaded = load_imported(open_file(quantized_model))
    assert not loaded.unsupported
    x = np.random.default_rng(2).standard_normal((5, 3, 8, 8)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(quantized_model), options, providers=["CPUExecutionProvider"])
    (expected,), (got,) = session.run(None, {"x": x}), node_tests.run(loaded.proto, [x])
    step = 1 / 256  # the last scale; a value halfway between two integers may round either way
    np.testing.assert_allclose(got, expected, atol=2 * step)
