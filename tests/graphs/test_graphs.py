"""Graphs of ONNX models, compared with onnx and NumPy on the same files."""

import itertools
import math

import numpy as np
import onnx
import onnx.shape_inference
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from convnet_core.graphs import weight_statistics
from tests.graphs.models import graph_of, model_of


def test_the_nodes_match_the_file(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    graph = graph_of(model)
    operations = [node for node in graph.nodes if node.kind == "op"]
    assert [(node.name, node.op, list(node.inputs), list(node.outputs)) for node in operations] == [
        (node.name, node.op_type, list(node.input), list(node.output)) for node in model.graph.node
    ]
    assert operations[0].attributes["pads"] == "[1, 1, 1, 1]"
    for node, proto in zip(operations, model.graph.node, strict=True):
        assert {name: f"{name} = {text}" for name, text in node.attributes.items()} == {
            item.name: helper.printable_attribute(item).replace("'", "") for item in proto.attribute
        }
    assert [node.version for node in operations] == [
        onnx.defs.get_schema(node.op_type, 18).since_version for node in model.graph.node
    ]
    assert [(node.kind, node.name) for node in graph.nodes if node.kind != "op"] == [
        ("input", "input"),
        ("output", "logits"),
    ]


def test_shapes_and_dtypes_match_shape_inference(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    graph = graph_of(model)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        dims = tuple(dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim)
        assert graph.tensors[value.name].shape == dims
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        assert graph.tensors[value.name].dtype == dtype.name
    assert graph.tensors["logits"].shape == ("batch", 10)
    assert {graph.tensors[name].kind for name in ("input", "logits")} == {"input", "output"}


def test_weight_statistics_match_numpy(finished_run):
    model = onnx.load(finished_run.path / "export/model.onnx")
    graph = graph_of(model)
    assert len(model.graph.initializer) == 5
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        assert graph.tensors[tensor.name].kind == "weight"
        assert graph.tensors[tensor.name].shape == values.shape
        assert graph.tensors[tensor.name].dtype == values.dtype.name
        statistics = graph.tensors[tensor.name].statistics
        assert statistics.count == values.size
        assert (statistics.min, statistics.max) == (values.min(), values.max())
        assert statistics.mean == pytest.approx(values.mean(dtype=np.float64))
        assert statistics.std == pytest.approx(values.std(dtype=np.float64))
        counts, edges = np.histogram(values.astype(np.float64), 64)
        assert statistics.counts == tuple(counts)
        assert statistics.edges == pytest.approx(edges)


def test_edges_lead_from_producer_to_reader(finished_run):
    graph = graph_of(onnx.load(finished_run.path / "export/model.onnx"))
    names = [node.id for node in graph.nodes]
    assert len(names) == 6
    assert [(edge.source, edge.target) for edge in graph.edges] == list(itertools.pairwise(names))


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
def test_weights_of_any_dtype(values):
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], [], ["y"], [numpy_helper.from_array(values, "w")])
    tensor = graph_of(model).tensors["w"]
    assert tensor.dtype == values.dtype.name
    statistics, finite = tensor.statistics, values[np.isfinite(values)].astype(np.float64)
    assert (statistics.count, statistics.not_finite) == (values.size, values.size - finite.size)
    assert statistics.mean == pytest.approx(finite.mean())
    assert statistics.zeros == pytest.approx((finite == 0).mean())
    assert sum(statistics.counts) == finite.size


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.FLOAT8E4M3FN, TensorProto.INT4])
def test_weights_of_dtypes_that_numpy_lacks(kind):
    weight = helper.make_tensor("w", kind, [3], [1, 2, 4])
    tensor = graph_of(model_of([helper.make_node("Identity", ["w"], ["y"])], [], ["y"], [weight])).tensors["w"]
    assert tensor.statistics.max == 4
    assert tensor.statistics.mean == pytest.approx(7 / 3)


def test_weights_without_statistics():
    text = helper.make_tensor("text", TensorProto.STRING, [2], [b"a", b"b"])
    external = TensorProto(name="external", data_type=TensorProto.FLOAT, dims=[4])
    external.data_location = TensorProto.EXTERNAL
    nodes = [helper.make_node("Foo", ["text", "external"], ["y"], domain="custom")]
    tensors = graph_of(model_of(nodes, [], ["y"], [text, external])).tensors
    assert (tensors["text"].text, tensors["external"].text) == ("string [2]", "float32 [4]")
    assert tensors["text"].statistics is None
    assert tensors["external"].statistics is None


@pytest.mark.parametrize("values", [[1e308, -1e308], [1e17, 1e17 + 16], [5e-324, 0.0]])
def test_statistics_of_values_at_the_limits_of_float64(values):
    statistics = weight_statistics.of_values(np.array(values))
    assert (statistics.min, statistics.max) == (min(values), max(values))
    assert statistics.std is None or math.isfinite(statistics.std)


def test_statistics_of_no_values():
    statistics = weight_statistics.of_values(np.zeros((0, 3), np.float32))
    assert (statistics.count, statistics.mean, statistics.counts, statistics.edges) == (0, None, (), ())


def test_statistics_of_equal_values():
    statistics = weight_statistics.of_values(np.full(7, 2.0))
    assert (statistics.std, sum(statistics.counts), statistics.low, statistics.high) == (0.0, 7, 1.5, 2.5)


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
    tensor = graph_of(model_of([helper.make_node("Constant", [], ["y"], **attribute)], [], ["y"])).tensors["y"]
    assert tensor.kind == "weight"
    assert (tensor.text, tensor.statistics and tensor.statistics.mean) == expected


def test_empty_and_repeated_names_get_unique_ids():
    chain = ["x", *(f"t{index}" for index in range(6))]
    names = ["", "", "same", "same", "same (2)", "x"]
    nodes = [
        helper.make_node("Relu", [source], [target], name=name)
        for source, target, name in zip(chain, chain[1:], names, strict=False)
    ]
    graph = graph_of(model_of(nodes, ["x"], ["t5", "t5"]))
    assert len({node.id for node in graph.nodes}) == len(graph.nodes) == 9
    assert [node.name for node in graph.nodes] == ["x", *names, "t5", "t5"]
    assert [(graph.by_id[edge.source].outputs, edge.tensor) for edge in graph.edges] == [
        ((name,), name) for name in (*chain[:-1], "t5", "t5")
    ]


def test_a_subgraph_is_an_attribute_and_what_it_reads_is_an_edge():
    def branch(name, op):
        inner = helper.make_node(op, ["outer"], [name])
        return helper.make_graph([inner], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        helper.make_node("Relu", ["x"], ["outer"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Abs"), else_branch=branch("b", "Neg")),
    ]
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    graph = graph_of(model_of(nodes, ["x", condition], ["y"]))
    assert graph.by_id["If"].attributes == {"then_branch": "graph with 1 node", "else_branch": "graph with 1 node"}
    assert [(edge.source, edge.target) for edge in graph.edges if edge.tensor == "outer"] == [("Relu", "If")]


def test_an_input_with_an_initializer_is_a_weight():
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    declared = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])
    graph = graph_of(model_of([helper.make_node("Add", ["x", "w"], ["y"])], ["x", declared], ["y"], [weight]))
    assert [node.id for node in graph.nodes if node.kind == "input"] == ["x"]
    assert graph.tensors["w"].kind == "weight"


def test_unknown_operators_and_wrong_shapes_are_drawn_too():
    nodes = [
        helper.make_node("Foo", ["x", "", "nowhere"], ["y", ""], domain="custom", mode=b"\xff", big=list(range(1000))),
        helper.make_node("Reshape", ["y", "shape"], ["z"]),  # 3 values do not fit
    ]
    graph = graph_of(model_of(nodes, ["x"], ["z"], [numpy_helper.from_array(np.array([2, 2, -1, -1]), "shape")]))
    assert graph.by_id["Foo"].versioned_op == "custom.Foo"
    assert graph.by_id["Foo"].inputs == ("x", "", "nowhere")
    assert len(graph.by_id["Foo"].attributes["big"]) < 250
    assert graph.tensors["nowhere"].shape is None
    assert graph.tensors["nowhere"].text == ""


@pytest.mark.slow
def test_every_kind_of_model_that_ships_with_onnx_has_a_graph():
    """Sequences, optionals, maps, loops, functions, strings, text normalization, quantized and sparse tensors."""
    cases = [*load_model_tests(kind="simple"), *load_model_tests(kind="node")[::5]]
    assert len(cases) > 300
    for case in cases:
        model = case.model or onnx.load(f"{case.model_dir}/model.onnx")
        graph = graph_of(model)
        assert sum(node.kind == "op" for node in graph.nodes) == len(model.graph.node), case.name


# -- modules ---------------------------------------------------------------------------------------
