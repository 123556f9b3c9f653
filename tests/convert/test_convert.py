import json
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from convnet_core.config.fields import describe
from convnet_core.config.stages import ConvertConfig, DataConfig, ExportConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.signature import Signature, tensorflow_names
from convnet_core.convert.trace import CONVERTERS
from convnet_core.data import digits as data
from convnet_core.errors import ConversionError, UnsupportedOpError
from convnet_core.events import Monitor
from convnet_core.runtimes.tensorflow import TensorFlowFrozen
from convnet_core.stages.export import run_export
from tests.conftest import copy_of, python

INSTALLED_CONVERTERS = [name for name in CONVERTERS if name == "native" or sys.version_info < (3, 12)]
needs_onnx_tf = pytest.mark.skipif("onnx-tf" not in INSTALLED_CONVERTERS, reason="onnx-tf needs Python 3.11")


def graph_model(nodes, inputs, outputs, initializers=(), opset=18):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def tensor(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


# -- names ------------------------------------------------------------------------------------------


def test_names_that_tensorflow_refuses_are_changed():
    names = ["input", "input.1", "1", "x:0", "class", "_hidden", "größe", "a/b", "a.b", "A_B", ""]
    assert tensorflow_names(names) == [
        "input",
        "input_1",
        "t_1",
        "x_0",
        "class_",
        "t_hidden",
        "gr__e",
        "a_b",
        "a_b_2",
        "A_B_3",
        "t_",
    ]


@pytest.mark.parametrize("converter", INSTALLED_CONVERTERS)
def test_odd_names_reach_the_signature_and_the_map(converter, tmp_path):
    """Inputs `input.1` and `1`, output `x:0`: the signature lists the names to call them by."""
    model = graph_model(
        [helper.make_node("Sub", ["input.1", "1"], ["x:0"], name="a:b")],
        [tensor("input.1", ["n", 3]), tensor("1", ["n", 3])],
        [tensor("x:0", ["n", 3])],
    )
    convert(LoadedModel(model), tmp_path, ConvertConfig(converter=converter), samples(model), Monitor())
    signature = Signature.load(tmp_path)
    assert [port.tensorflow for port in (*signature.inputs, *signature.outputs)] == ["input_1", "t_1", "x_0"]
    code = """
import sys, numpy as np, tensorflow as tf
f = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
a, b = np.float32([[5, 6, 7]]), np.float32([[1, 1, 1]])
print(f(input_1=tf.constant(a), t_1=tf.constant(b))["x_0"].numpy().tolist())
"""
    assert python(code, str(tmp_path / "saved_model")).stdout.strip() == "[[4.0, 5.0, 6.0]]"


@pytest.mark.parametrize("converter", INSTALLED_CONVERTERS)
def test_nodes_named_like_inputs_and_outputs_do_not_clash_with_them(converter, tmp_path):
    model = graph_model(
        [helper.make_node("Neg", ["X"], ["h"], name="X"), helper.make_node("Add", ["h", "x"], ["y"], name="y")],
        [tensor("X", ["n", 3]), tensor("x", ["n", 3])],
        [tensor("y", ["n", 3])],
    )
    convert(LoadedModel(model), tmp_path, ConvertConfig(converter=converter), samples(model), Monitor())
    nodes = json.loads((tmp_path / "nodes.json").read_text())
    assert [[op["type"] for op in node["ops"]] for node in nodes] == [["Neg"], ["AddV2"]]
    with TensorFlowFrozen(tmp_path / "frozen.pb", "onnx-tf") as runtime:
        outputs = runtime.infer({"X": np.float32([[1, 2, 3]]), "x": np.float32([[5, 5, 5]])})
    assert outputs["y"].tolist() == [[4, 3, 2]]


def samples(model, count=5):
    rng = np.random.default_rng(0)
    shapes = {port.onnx: port.shape[1:] for port in Signature.of(model).inputs}
    return {name: rng.random((count, *shape), np.float32) for name, shape in shapes.items()}


# -- limits of onnx-tf ------------------------------------------------------------------------------


@needs_onnx_tf
def test_unsupported_operators_are_named_with_version_and_node():
    model = graph_model(
        [
            helper.make_node("Mish", ["x"], ["y"], name="my_mish"),
            helper.make_node("Gelu", ["y"], ["z"], name="my_gelu"),
        ],
        [tensor("x", ["n", 3])],
        [tensor("z", ["n", 3])],
        opset=20,
    )
    with pytest.raises(UnsupportedOpError, match=r"Mish-18 \(node 'my_mish'\), Gelu-20 \(node 'my_gelu'\)"):
        onnx_tf.convert(model)


@needs_onnx_tf
def test_an_operator_that_fails_in_onnx_tf_is_named(tmp_path):
    """onnx-tf lists Hardmax as supported, but tracing it along any axis but the last raises."""
    model = graph_model(
        [helper.make_node("Hardmax", ["x"], ["z"], name="hm", axis=0)], [tensor("x", ["n", 3])], [tensor("z", ["n", 3])]
    )
    with pytest.raises(ConversionError, match=r"onnx-tf fails at node 'hm' \(Hardmax-13\)"):
        convert(LoadedModel(model), tmp_path, ConvertConfig(converter="onnx-tf"), samples(model), Monitor())


@needs_onnx_tf
def test_onnx_tf_refuses_a_newer_opset_and_names_the_operator(tmp_path, trained_run):
    run = copy_of(trained_run, tmp_path)
    run_export(run, ExportConfig(opset=20), Monitor())
    with pytest.raises(UnsupportedOpError, match="Reshape-19"):
        onnx_tf.convert(onnx.load(run.path / "export/model.onnx"))


# -- artifacts --------------------------------------------------------------------------------------

# These scripts do not import convnet_core: they open the artifacts the way a recipient would.
_PLAIN_TENSORFLOW = """
import sys, numpy as np, tensorflow as tf
folder, images = sys.argv[1], np.load(sys.argv[2], allow_pickle=False)
loaded = tf.saved_model.load(folder + "/saved_model").signatures["serving_default"]
assert list(loaded.structured_input_signature[1]) == ["input"], loaded.structured_input_signature
first = np.concatenate([loaded(input=tf.constant(part))["logits"].numpy() for part in np.split(images, [1, 3])])
graph = tf.compat.v1.GraphDef()
graph.ParseFromString(open(folder + "/frozen.pb", "rb").read())
assert not any(node.op in ("VarHandleOp", "ReadVariableOp") for node in graph.node)
imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
frozen = imported.prune("input:0", "logits:0")
second = frozen(tf.constant(images)).numpy()
np.savez(sys.argv[3], first=first, second=second)
assert "convnet_core" not in sys.modules
"""
_PLAIN_LITERT = """
import sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
folder, images = sys.argv[1], np.load(sys.argv[2], allow_pickle=False)
results = {}
for kind in ("fp32", "fp16", "int8"):
    run = Interpreter(model_path=f"{folder}/model.{kind}.tflite").get_signature_runner("serving_default")
    results[kind] = np.concatenate([run(input=part)["logits"] for part in np.split(images, [1, 3])])
    results[kind + "_whole"] = run(input=images)["logits"]
np.savez(sys.argv[3], **results)
assert "tensorflow" not in sys.modules and "convnet_core" not in sys.modules
"""


@pytest.fixture(scope="module", params=INSTALLED_CONVERTERS)
def folder(request, finished_run, tmp_path_factory):
    """The folder that each converter writes for the trained network."""
    if request.param == "native":
        return finished_run.path / "convert/native"
    folder = tmp_path_factory.mktemp("onnx-tf")
    model = onnx.load(finished_run.path / "export/model.onnx")
    digits = data.load(DataConfig(train_size=8000, test_size=400)).train.scaled()[:200]
    convert(LoadedModel(model), folder, ConvertConfig(converter=request.param), {"input": digits}, Monitor())
    return folder


@pytest.fixture(scope="module")
def images_and_expected(finished_run, tmp_path_factory):
    images = data.load(DataConfig(train_size=8000, test_size=400)).test.scaled()[:50]
    path = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(path, images)
    model = onnx.load(finished_run.path / "export/model.onnx")
    (expected,) = ReferenceEvaluator(model).run(None, {"input": images})
    return path, expected


def test_saved_model_and_frozen_graph_open_in_plain_tensorflow(folder, images_and_expected, tmp_path):
    path, expected = images_and_expected
    python(_PLAIN_TENSORFLOW, str(folder), str(path), str(tmp_path / "out.npz"))
    results = np.load(tmp_path / "out.npz", allow_pickle=False)
    np.testing.assert_allclose(results["first"], expected, atol=1e-4)
    np.testing.assert_allclose(results["second"], expected, atol=1e-4)


def test_tflite_files_open_in_plain_litert_with_any_batch(folder, images_and_expected, tmp_path):
    path, expected = images_and_expected
    python(_PLAIN_LITERT, str(folder), str(path), str(tmp_path / "out.npz"))
    results = np.load(tmp_path / "out.npz", allow_pickle=False)
    for kind, atol in (("fp32", 1e-4), ("fp16", 1e-2)):
        np.testing.assert_allclose(results[kind], expected, atol=atol)
        np.testing.assert_allclose(results[f"{kind}_whole"], expected, atol=atol)
    assert (results["int8"].argmax(1) == expected.argmax(1)).mean() >= 0.95
    np.testing.assert_array_equal(results["int8"], results["int8_whole"])


def test_the_int8_file_has_mostly_int8_tensors_and_is_smaller(folder):
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "model.int8.tflite"
    details = Interpreter(model_path=str(path)).get_tensor_details()
    assert sum(item["dtype"] is np.int8 for item in details) > sum(item["dtype"] is np.float32 for item in details)
    sizes = {kind: (path.parent / f"model.{kind}.tflite").stat().st_size for kind in ("fp32", "fp16", "int8")}
    assert sizes["int8"] < sizes["fp16"] / 1.5 < sizes["fp32"] / 2.5


def test_every_node_lists_its_tensorflow_ops(folder):
    nodes = json.loads((folder / "nodes.json").read_text())
    op_types = {node["op_type"]: [op["type"] for op in node["ops"]] for node in nodes}
    assert list(op_types) == ["Conv", "Relu", "Reshape", "Gemm"]
    assert "Conv2D" in op_types["Conv"]
    assert set(op_types["Conv"]) & {"AddV2", "BiasAdd"}
    assert "Relu" in op_types["Relu"]
    assert "MatMul" in op_types["Gemm"]


def test_every_converter_is_a_choice_of_the_config():
    (field,) = [field for field in describe(ConvertConfig) if field.path == ("converter",)]
    assert set(CONVERTERS) == set(field.choices)
