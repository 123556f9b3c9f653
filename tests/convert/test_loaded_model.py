"""Models that ONNX Runtime runs are accepted: each repair is reported and leaves the outputs unchanged."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.convert.loaded_model import load_imported
from convnet_core.errors import ConvNetError
from convnet_core.graphs.graph_file import of_file
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from testing import node_tests
from tests.conftest import convnet

RNG = np.random.default_rng(0)


def f(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def port(name, shape, kind=T.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model(nodes, inputs=None, outputs=None, weights=None, opset=17, ir=8, opsets=None, intermediate=()):
    """A model; by default from x float32 [n, 3] to y float32 [n, 3]."""
    graph = helper.make_graph(
        nodes,
        "g",
        inputs or [port("x", ["n", 3])],
        outputs if outputs is not None else [port("y", ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
        value_info=list(intermediate),
    )
    opsets = [helper.make_opsetid("", opset)] if opsets is None else opsets
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def two_nodes(**options):
    return model([node("Relu", "x", "h"), node("Neg", "h", "y")], **options)


def changed(proto, change):
    change(proto)
    return proto


def branches(kind, **options):
    """y is Abs(Relu(x)) if c is true, else Neg(x)."""
    graphs = [
        helper.make_graph([node("Relu", "x", "q"), node("Abs", "q", "t")], "yes", [], [port("t", kind)], **options),
        helper.make_graph([node("Neg", "x", "e")], "no", [], [port("e", None)]),
    ]
    return model(
        [node("If", "c", "y", then_branch=graphs[0], else_branch=graphs[1])],
        [port("x", ["n", 3]), port("c", [], T.BOOL)],
    )


def gelu(opsets):
    return model([node("Gelu", "x", "y", domain="com.microsoft")], opsets=opsets)


def add_duplicate_weight(proto):
    proto.graph.initializer.append(numpy_helper.from_array(np.full(3, 7, np.float32), "w"))


WEIGHT = {"w": np.arange(3, dtype=np.float32)}
ADD = [node("Add", "x w", "y")]
ODD = {
    # name: the model, and a part of the note about the repair
    "no shape of the output": (two_nodes(outputs=[port("y", None)]), "the output 'y' had no shape"),
    "no type of the output": (changed(two_nodes(), lambda m: m.graph.output[0].ClearField("type")), "'y' had no type"),
    "IR 3 with weights that are not inputs": (model(ADD, weights=WEIGHT, opset=8, ir=3), "IR version 3"),
    "IR 2 with an opset": (two_nodes(ir=2), "IR version 2"),
    "a wrong size of the output": (two_nodes(outputs=[port("y", ["n", 5])]), "the declared shape of 'y' was wrong"),
    "a wrong rank of the output": (two_nodes(outputs=[port("y", ["n", 3, 1])]), "[n, 3, 1] by [n, 3]"),
    "a fixed batch in the output only": (two_nodes(outputs=[port("y", [1, 3])]), "[1, 3] by [n, 3]"),
    "a wrong size of an intermediate tensor": (
        two_nodes(intermediate=[port("h", ["n", 9])]),
        "the declared shape of 'h' was wrong",
    ),
    "a wrong rank of an intermediate tensor": (
        two_nodes(intermediate=[port("h", [3])]),
        "the declared shape of 'h' was wrong",
    ),
    "−1 for a dynamic dimension": (
        two_nodes(inputs=[port("x", [-1, 3])], outputs=[port("y", [-1, 3])]),
        "−1 in the shape of 'x', 'y' means a dynamic dimension",
    ),
    "a graph without a name": (changed(two_nodes(), lambda m: m.graph.ClearField("name")), "graph without a name"),
    "two weights with one name": (changed(model(ADD, weights=WEIGHT), add_duplicate_weight), "of 2 initializers"),
    "an output twice": (two_nodes(outputs=[port("y", ["n", 3])] * 2), "'y' appeared among the outputs more than once"),
    "metadata twice": (
        changed(two_nodes(), lambda m: [m.metadata_props.add(key="k", value=value) for value in "ab"]),
        "metadata with the same key",
    ),
    "com.microsoft without an opset": (gelu([helper.make_opsetid("", 17)]), "opset_import of com.microsoft"),
    "nodes of the domain ai.onnx": (
        changed(two_nodes(), lambda m: setattr(m.graph.node[0], "domain", "ai.onnx")),
        "the domain ai.onnx was replaced",
    ),
    "an opset of the domain ai.onnx": (
        two_nodes(opsets=[helper.make_opsetid("ai.onnx", 17)]),
        "the domain ai.onnx was replaced",
    ),
    "a wrong shape in a branch": (branches([7, 7]), "inside branches and loops"),
    "a wrong shape of an intermediate tensor in a branch": (
        branches(None, value_info=[port("q", [7])]),
        "inside branches and loops",
    ),
}  # fmt: skip
VALID = {
    "an unused weight": model([node("Relu", "x", "y")], weights=WEIGHT),
    "a weight as an output": model(ADD, outputs=[port("y", ["n", 3]), port("w", [3])], weights=WEIGHT),
    "an input as an output": two_nodes(outputs=[port("y", ["n", 3]), port("x", ["n", 3])]),
    "an unused input": two_nodes(inputs=[port("x", ["n", 3]), port("z", [2])]),
    "one name for two dimensions": two_nodes(inputs=[port("x", ["n", "n"])], outputs=[port("y", ["n", "n"])]),
    "another name for the same dimension": two_nodes(outputs=[port("y", ["m", 3])]),
    "omitted optional inputs": model([helper.make_node("Clip", ["x", "", ""], ["y"])]),
    "a weight that is also an input": model(
        ADD, inputs=[port("x", ["n", 3]), port("w", [3])], weights=WEIGHT, opset=8, ir=3
    ),
    "no shape in branches": branches(None),
}


def outputs_of(proto, path):
    """ONNX Runtime's outputs of the original and of the repaired model, and the converted model's outputs."""
    onnx.save(proto, path)
    loaded = load_imported(open_file(path))
    assert not loaded.unsupported
    size = 3 if "n" in [dim.dim_param for dim in proto.graph.input[0].type.tensor_type.shape.dim][1:] else 2
    feeds = {"x": f(size, 3), "c": np.array(True), "z": f(2)}
    feeds = {value.name: feeds[value.name] for value in node_tests.required_inputs(proto)}
    before, after = (
        onnxruntime.InferenceSession(item.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
        for item in (proto, loaded.proto)
    )
    return loaded, before, after, node_tests.run(loaded.proto, list(feeds.values()))


@pytest.mark.parametrize("name", ODD)
def test_a_model_that_onnx_runtime_runs_is_repaired_with_a_note(tmp_path, name):
    proto, note = ODD[name]
    loaded, before, after, converted = outputs_of(proto, tmp_path / "odd.onnx")
    assert [text for text in loaded.repairs if note in text], loaded.repairs
    for expected, repaired, result in zip(before, after, converted, strict=False):  # a duplicate output is removed
        np.testing.assert_array_equal(repaired, expected)
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)
    onnx.save(loaded.proto, tmp_path / "repaired.onnx")
    assert not load_imported(open_file(tmp_path / "repaired.onnx")).repairs


@pytest.mark.parametrize("name", VALID)
def test_a_valid_model_is_not_repaired(tmp_path, name):
    loaded, before, after, converted = outputs_of(VALID[name], tmp_path / "valid.onnx")
    assert not loaded.repairs
    for expected, repaired, result in zip(before, after, converted, strict=True):
        np.testing.assert_array_equal(repaired, expected)
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)


def test_duplicate_node_names_are_changed(tmp_path):
    """ONNX Runtime 1.32 refuses duplicate node names, which some exporters write."""
    proto = model([node("Relu", "x", "h", name="a"), node("Neg", "h", "y", name="a")])
    onnx.save(proto, tmp_path / "a.onnx")
    loaded = load_imported(open_file(tmp_path / "a.onnx"))
    assert loaded.repairs == ("1 node had a duplicate name and got a new one",)
    assert [item.name for item in loaded.proto.graph.node] == ["a", "a_1"]
    onnxruntime.InferenceSession(loaded.proto.SerializeToString(), providers=["CPUExecutionProvider"])


def test_nodes_in_the_wrong_order_are_sorted_also_inside_a_branch(tmp_path):
    yes = helper.make_graph([node("Abs", "q", "t"), node("Relu", "h", "q")], "yes", [], [port("t", None)])
    no = helper.make_graph([node("Neg", "h", "e")], "no", [], [port("e", None)])
    proto = model(
        [node("If", "c", "y", then_branch=yes, else_branch=no), node("Exp", "x", "h")],
        [port("x", ["n", 3]), port("c", [], T.BOOL)],
    )
    onnx.save(proto, tmp_path / "a.onnx")
    loaded = load_imported(open_file(tmp_path / "a.onnx"))
    assert loaded.repairs == ("nodes came before nodes that they depend on, and were sorted",)
    x = f(2, 3)
    np.testing.assert_allclose(node_tests.run(loaded.proto, [x, np.array(True)])[0], np.exp(x), rtol=1e-6)


REFUSED = {
    "an output that no node produces": (
        two_nodes(outputs=[port("z", [1])]),
        "nothing in the model produces its output 'z'",
    ),
    "no outputs": (two_nodes(outputs=[]), "the model has no outputs"),
    "an input that no node produces": (
        model([node("Relu", "nope", "y", name="r")]),
        "Relu (node 'r') reads 'nope', which nothing in the model produces",
    ),
    "a cycle": (
        model([node("Add", "x b", "a", name="p"), node("Relu", "a", "b", name="q"), node("Neg", "b", "y", name="r")]),
        "nodes depend on each other in a cycle: p → q → p",
    ),
    "another type of the output": (
        two_nodes(outputs=[port("y", ["n", 3], T.INT64)]),
        "the output 'y' is declared as int64, but its node produces float32",
    ),
    "no opset": (two_nodes(opsets=[]), "does not say which opset"),
    "an opset of the future": (two_nodes(opset=99), f"opset 99; onnx {onnx.__version__} supports up to"),
    "an IR version of the future": (two_nodes(ir=99), f"IR version 99; onnx {onnx.__version__} supports up to"),
    "no IR version": (changed(two_nodes(), lambda m: m.ClearField("ir_version")), "no ir_version"),
    "an input without a rank": (
        model([node("Relu", "x", "y")], inputs=[port("x", None)]),
        "the rank of 'x' is neither declared nor can it be inferred",
    ),
    "an attribute that is missing": (
        model([node("Concat", "x", "y", name="joined")]),
        "Required attribute 'axis' is missing. ==> Context: Bad node spec for node. Name: joined OpType: Concat",
    ),
    "sizes that do not fit": (
        model([node("Add", "x w", "y")], weights={"w": f(4)}),
        "(op_type:Add, node name: Add_0): [ShapeInferenceError] Incompatible dimensions",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_model_is_refused_with_a_clear_sentence(tmp_path, name):
    proto, sentence = REFUSED[name]
    onnx.save(proto, tmp_path / "bad.onnx")
    with pytest.raises(ConvNetError) as caught:
        load_imported(open_file(tmp_path / "bad.onnx"))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_check_convert_and_graph_refuse_with_the_same_sentence(tmp_path):
    onnx.save(REFUSED["a cycle"][0], tmp_path / "bad.onnx")
    errors = [
        convnet(*command, "--onnx", tmp_path / "bad.onnx", "--runs", tmp_path / "runs", check=2).stderr.splitlines()
        for command in (["convert", "--check"], ["convert"], ["graph"])
    ]
    assert [sum(REFUSED["a cycle"][1] in line for line in lines) for lines in errors] == [1, 1, 1]


def test_check_lists_the_repairs(tmp_path):
    onnx.save(ODD["a wrong size of the output"][0], tmp_path / "odd.onnx")
    done = json.loads(convnet("convert", "--check", "--onnx", tmp_path / "odd.onnx", "--json").stdout)
    assert done["faults"] == []
    assert "[n, 5] by [n, 3]" in done["repairs"][0]


def test_an_upload_stores_the_repaired_model_and_the_notes(tmp_path):
    onnx.save(ODD["no shape of the output"][0], tmp_path / "odd.onnx")
    done = convnet("upload", "--onnx", tmp_path / "odd.onnx", "--run", tmp_path / "run")
    assert "the output 'y' had no shape" in done.stderr
    run = Run.open(tmp_path / "run")
    assert "the output 'y' had no shape" in run.require("export").result["repairs"][0]
    onnx.checker.check_model(run.path / "export/model.onnx", full_check=True)


def test_the_graph_shows_the_repaired_model(tmp_path):
    onnx.save(ODD["−1 for a dynamic dimension"][0], tmp_path / "odd.onnx")
    tensors = {tensor.name: tensor.shape for tensor in of_file(tmp_path / "odd.onnx").tensors.values()}
    assert tensors["y"] == (None, 3)
