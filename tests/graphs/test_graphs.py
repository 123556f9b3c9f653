"""Graphs of ONNX models, compared with what onnx, ONNX Runtime and NumPy say of the same files."""

import itertools
import json
import math

import numpy as np
import onnx
import onnx.shape_inference
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from convnet_core.errors import ModelError, RunError
from convnet_core.graphs import from_onnx, graph_file, weight_statistics
from convnet_core.graphs.graph import Graph
from convnet_core.runs.run import Run
from tests.conftest import convnet, copy_of


def model_of(nodes, inputs=(), outputs=(), weights=(), **options):
    """A model with float inputs and outputs of unknown shape where only a name is given."""
    values = [
        [
            helper.make_tensor_value_info(item, TensorProto.FLOAT, None) if isinstance(item, str) else item
            for item in side
        ]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(list(nodes), "made", *values, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **options)


def graph_of(model):
    """Its graph, through JSON and back."""
    made = graph_file.arrange(from_onnx.read(model))
    text = json.dumps(made.to_json(), allow_nan=False)
    assert Graph.from_json(json.loads(text)) == made
    return made


# -- what is in a file ------------------------------------------------------------------------------


def test_the_nodes_are_those_of_the_file(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    made = graph_of(model)
    operations = [node for node in made.nodes if node.kind == "op"]
    assert [(node.name, node.op, list(node.inputs), list(node.outputs)) for node in operations] == [
        (node.name, node.op_type, list(node.input), list(node.output)) for node in model.graph.node
    ]
    assert operations[0].attributes["pads"] == "[1, 1, 1, 1]"
    for node, theirs in zip(operations, model.graph.node, strict=True):
        assert {name: f"{name} = {text}" for name, text in node.attributes.items()} == {
            item.name: helper.printable_attribute(item).replace("'", "") for item in theirs.attribute
        }
    assert [node.version for node in operations] == [
        onnx.defs.get_schema(node.op_type, 18).since_version for node in model.graph.node
    ]
    assert [(node.kind, node.name) for node in made.nodes if node.kind != "op"] == [
        ("input", "input"),
        ("output", "logits"),
    ]


def test_shapes_and_types_are_those_of_shape_inference(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    made = graph_of(model)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        dims = tuple(dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim)
        assert made.tensors[value.name].shape == dims
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        assert made.tensors[value.name].dtype == dtype.name
    assert made.tensors["logits"].shape == ("batch", 10)
    assert {made.tensors[name].kind for name in ("input", "logits")} == {"input", "output"}


def test_the_statistics_of_weights_are_those_of_numpy(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    made = graph_of(model)
    assert len(model.graph.initializer) == 5
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        assert made.tensors[tensor.name].kind == "weight"
        assert made.tensors[tensor.name].shape == values.shape
        assert made.tensors[tensor.name].dtype == values.dtype.name
        found = made.tensors[tensor.name].statistics
        assert found.count == values.size
        assert (found.min, found.max) == (values.min(), values.max())
        assert found.mean == pytest.approx(values.mean(dtype=np.float64))
        assert found.std == pytest.approx(values.std(dtype=np.float64))
        counts, edges = np.histogram(values.astype(np.float64), 64)
        assert found.counts == tuple(counts)
        assert found.edges == pytest.approx(edges)


def test_edges_lead_from_maker_to_reader(finished_run):
    made = graph_of(onnx.load(finished_run.path / "export/model.onnx"))
    names = [node.id for node in made.nodes]
    assert len(names) == 6
    assert [(edge.source, edge.target) for edge in made.edges] == list(itertools.pairwise(names))


# -- models of strangers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        np.array([0.0, 1.5, -2.0, 0.0], np.float32),
        np.array([[1, 2], [0, 4]], np.int64),
        np.array([True, False, True]),
        np.array([3], np.uint8),
        np.array(2.5, np.float16),
        np.array([1.0, np.nan, np.inf, 3.0], np.float32),
    ],
)
def test_weights_of_any_type(values):
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], [], ["y"], [numpy_helper.from_array(values, "w")])
    tensor = graph_of(model).tensors["w"]
    assert tensor.dtype == values.dtype.name
    found, finite = tensor.statistics, values[np.isfinite(values)].astype(np.float64)
    assert (found.count, found.not_finite) == (values.size, values.size - finite.size)
    assert found.mean == pytest.approx(finite.mean())
    assert found.zeros == pytest.approx((finite == 0).mean())
    assert sum(found.counts) == finite.size


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.INT4])
def test_weights_of_types_that_numpy_lacks(kind):
    weight = helper.make_tensor("w", kind, [3], [1, 2, 4])
    found = graph_of(model_of([helper.make_node("Identity", ["w"], ["y"])], [], ["y"], [weight])).tensors["w"]
    assert found.statistics.max == 4
    assert found.statistics.mean == pytest.approx(7 / 3)


def test_weights_without_statistics():
    text = helper.make_tensor("text", TensorProto.STRING, [2], [b"a", b"b"])
    elsewhere = TensorProto(name="elsewhere", data_type=TensorProto.FLOAT, dims=[4])
    elsewhere.data_location = TensorProto.EXTERNAL
    nodes = [helper.make_node("Foo", ["text", "elsewhere"], ["y"], domain="own")]
    found = graph_of(model_of(nodes, [], ["y"], [text, elsewhere])).tensors
    assert (found["text"].text, found["elsewhere"].text) == ("string [2]", "float32 [4]")
    assert found["text"].statistics is None
    assert found["elsewhere"].statistics is None


@pytest.mark.parametrize("values", [[1e308, -1e308], [1e17, 1e17 + 16], [5e-324, 0.0]])
def test_values_at_the_limits_of_float64(values):
    found = weight_statistics.of_values(np.array(values))
    assert (found.min, found.max) == (min(values), max(values))
    assert found.std is None or math.isfinite(found.std)


def test_no_values_at_all():
    found = weight_statistics.of_values(np.zeros((0, 3), np.float32))
    assert (found.count, found.mean, found.counts, found.edges) == (0, None, (), ())


def test_one_value_many_times():
    found = weight_statistics.of_values(np.full(7, 2.0))
    assert (found.std, sum(found.counts), found.low, found.high) == (0.0, 7, 1.5, 2.5)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"value": helper.make_tensor("", TensorProto.INT32, [2], [3, 5])}, ("int32 [2]", 4.0)),
        ({"value_float": 1.5}, ("float32 []", 1.5)),
        ({"value_floats": [1.0, 2.0]}, ("float32 [2]", 1.5)),
        ({"value_int": 7}, ("int64 []", 7.0)),
        ({"value_ints": [1, 2, 6]}, ("int64 [3]", 3.0)),
        ({"value_string": "a"}, ("string []", None)),
        ({"value_strings": ["a", "b"]}, ("string [2]", None)),
    ],
)
def test_constants_are_weights(attribute, expected):
    found = graph_of(model_of([helper.make_node("Constant", [], ["y"], **attribute)], [], ["y"])).tensors["y"]
    assert found.kind == "weight"
    assert (found.text, found.statistics and found.statistics.mean) == expected


def test_empty_and_repeated_names_get_ids_of_their_own():
    chain = ["x", *(f"t{index}" for index in range(6))]
    names = ["", "", "same", "same", "same (2)", "x"]
    nodes = [
        helper.make_node("Relu", [source], [target], name=name)
        for source, target, name in zip(chain, chain[1:], names, strict=False)
    ]
    made = graph_of(model_of(nodes, ["x"], ["t5", "t5"]))
    assert len({node.id for node in made.nodes}) == len(made.nodes) == 9
    assert [node.name for node in made.nodes] == ["x", *names, "t5", "t5"]
    assert [(made.by_id[edge.source].outputs, edge.tensor) for edge in made.edges] == [
        ((name,), name) for name in (*chain[:-1], "t5", "t5")
    ]


def test_a_subgraph_is_said_and_what_it_takes_from_outside_leads_to_it():
    def branch(name, op):
        inner = helper.make_node(op, ["outer"], [name])
        return helper.make_graph([inner], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        helper.make_node("Relu", ["x"], ["outer"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Abs"), else_branch=branch("b", "Neg")),
    ]
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    made = graph_of(model_of(nodes, ["x", condition], ["y"]))
    assert made.by_id["If"].attributes == {"then_branch": "graph with 1 node", "else_branch": "graph with 1 node"}
    assert [(edge.source, edge.target) for edge in made.edges if edge.tensor == "outer"] == [("Relu", "If")]


def test_an_input_that_an_initializer_fills_is_no_place_where_data_enters():
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    declared = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])
    made = graph_of(model_of([helper.make_node("Add", ["x", "w"], ["y"])], ["x", declared], ["y"], [weight]))
    assert [node.id for node in made.nodes if node.kind == "input"] == ["x"]
    assert made.tensors["w"].kind == "weight"


def test_what_onnx_does_not_know_is_drawn_all_the_same():
    nodes = [
        helper.make_node("Foo", ["x", "", "nowhere"], ["y", ""], domain="own", mode=b"\xff", big=list(range(1000))),
        helper.make_node("Reshape", ["y", "shape"], ["z"]),  # 3 values do not fit
    ]
    made = graph_of(model_of(nodes, ["x"], ["z"], [numpy_helper.from_array(np.array([2, 2, -1, -1]), "shape")]))
    assert made.by_id["Foo"].versioned_op == "own.Foo"
    assert made.by_id["Foo"].inputs == ("x", "", "nowhere")
    assert len(made.by_id["Foo"].attributes["big"]) < 250
    assert made.tensors["nowhere"].shape is None
    assert made.tensors["nowhere"].text == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # onnx's own, as it makes the cases
def test_every_kind_of_model_that_ships_with_onnx():
    """Sequences, optionals, maps, loops, functions, strings, text normalisation, quantised and sparse ones."""
    cases = [*load_model_tests(kind="simple"), *load_model_tests(kind="node")[::5]]
    assert len(cases) > 300
    for case in cases:
        model = case.model or onnx.load(f"{case.model_dir}/model.onnx")
        made = graph_of(model)
        assert sum(node.kind == "op" for node in made.nodes) == len(model.graph.node), case.name


# -- search ----------------------------------------------------------------------------------------


def test_search_looks_at_names_operations_and_tensors():
    nodes = [
        helper.make_node("Conv", ["x", "stem.weight"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["y"], name="second"),
    ]
    made = graph_of(model_of(nodes, ["x"], ["y"]))
    assert [node.id for node in made.find("FIRST")] == ["first"]
    assert [node.id for node in made.find("relu")] == ["second"]
    assert [node.id for node in made.find(" stem.")] == ["first"]
    assert made.find("  ") == made.find("nothing like it") == []


# -- the stage and the command ---------------------------------------------------------------------


def test_the_export_keeps_the_graph_and_says_what_was_checked(finished_run):
    record = finished_run.require("export")
    kept = graph_file.read(finished_run.path / "export/graph.json")
    assert kept == graph_file.of_file(finished_run.path / "export/model.onnx")
    assert "graph.json" in record.outputs
    assert record.result["opset"] == 18
    assert "full shape inference" in record.result["checked"]


def test_the_command_prints_the_nodes(finished_run):
    said = convnet("graph", "--run", finished_run.path).stdout
    for text in ("Conv-11", "Gemm-13", "[batch, 1, 28, 28]", "fc.weight", "4 operations", "opset ai.onnx 18"):
        assert text in said


def test_the_command_gives_all_of_it_as_json(finished_run, tmp_path):
    kept = json.loads((finished_run.path / "export/graph.json").read_text())
    assert json.loads(convnet("graph", "--run", finished_run.path, "--json").stdout) == kept
    model = finished_run.path / "export/model.onnx"
    assert json.loads(convnet("graph", "--onnx", model, "--json").stdout) == kept
    run = copy_of(finished_run, tmp_path)
    (run.path / "export/graph.json").unlink()  # exported by an older version
    assert json.loads(convnet("graph", "--run", run.path, "--json").stdout) == kept


def test_the_command_says_what_is_wrong(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    assert "is a text file" in convnet("graph", "--onnx", tmp_path / "no.onnx", check=2).stderr
    with pytest.raises(RunError, match="has no export yet"):
        graph_file.of_run(Run.create(tmp_path / "run"))


@pytest.mark.parametrize("text", ["", "[]", '{"nodes": []}', '{"nodes": 1}'])
def test_a_damaged_file_is_said_to_be_one(tmp_path, text):
    (tmp_path / "graph.json").write_text(text)
    with pytest.raises(ModelError, match="cannot be read"):
        graph_file.read(tmp_path / "graph.json")
