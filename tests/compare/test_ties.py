"""Rows swapped because their scores nearly tie are not a difference; rows with different scores are.

ONNX Runtime on slightly different inputs stands in for a runtime with different rounding.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.compare.judge import judge
from convnet_core.compare.measure import InputSet, measure
from convnet_core.compare.rankings import Rankings
from convnet_core.compare.ties import align_rows, equal
from convnet_core.config.stages import CompareConfig
from convnet_core.onnx_files.precision import tolerance

FLOAT32 = tolerance(CompareConfig())
BOXES = np.float32([[0, 0, 1, 1], [10, 10, 11, 11], [20, 20, 21, 21], [30, 30, 31, 31], [40, 40, 41, 41]])


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def save_model(folder, nodes, outputs, shape, weights=None):
    x = helper.make_tensor_value_info("x", T.FLOAT, shape)
    ports = [helper.make_tensor_value_info(name, dtype, None) for name, dtype in outputs.items()]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", [x], ports, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "m.onnx")
    return folder / "m.onnx"


TWO = {"k": np.int64([2])}
THREE = {"k": np.int64([3])}
BEST = node("TopK", "x k", "values indices")
DETECT = [
    node("NonMaxSuppression", "boxes scores most overlap", "chosen"),
    node("Slice", "chosen two three one", "last"),
    node("Squeeze", "last one", "rows"),
    node("Gather", "table rows", "found"),
]
NMS = {
    "boxes": BOXES[None],
    "most": np.int64([4]),
    "overlap": np.float32([0.5]),
    "first": np.int64([0]),
    "one": np.int64([1]),
    "two": np.int64([2]),
    "three": np.int64([3]),
    "table": BOXES,
}
MODELS = {
    "values and indices": ([BEST], {"values": T.FLOAT, "indices": T.INT64}, [2, 5], THREE),
    "only indices, cast": ([BEST, node("Cast", "indices", "y", to=T.INT32)], {"y": T.INT32}, [2, 5], THREE),
    "the last selected ties with the first rejected": ([BEST], {"indices": T.INT64}, [2, 5], TWO),
    "smallest": (
        [node("TopK", "x k", "values indices", largest=0)],
        {"values": T.FLOAT, "indices": T.INT64},
        [2, 5],
        THREE,
    ),
    "along axis 0": (
        [node("TopK", "x k", "values indices", axis=0), node("Gather", "table indices", "rows")],
        {"indices": T.INT64, "rows": T.FLOAT},
        [5, 2],
        THREE | {"table": BOXES},
    ),
    "rows and labels by index": (
        [BEST, node("Gather", "table indices", "rows"), node("Gather", "names indices", "labels")],
        {"values": T.FLOAT, "rows": T.FLOAT, "labels": T.INT64},
        [2, 5],
        THREE | {"table": BOXES, "names": np.int64([4, 3, 2, 1, 0])},
    ),
    "last row ties with a rejected row": (
        [BEST, node("Gather", "table indices", "rows")],
        {"rows": T.FLOAT},
        [2, 5],
        TWO | {"table": BOXES},
    ),
    "argmax": ([node("ArgMax", "x", "y", axis=1)], {"y": T.INT64}, [2, 5], {}),
    "row of the argmax": (
        [node("ArgMax", "x", "best", axis=1, keepdims=0), node("Gather", "table best", "y")],
        {"best": T.INT64, "y": T.FLOAT},
        [2, 5],
        {"table": BOXES},
    ),
    "argmin": ([node("ArgMin", "x", "y", axis=1, keepdims=0)], {"y": T.INT64}, [2, 5], {}),
    "boxes": ([node("Unsqueeze", "x first", "scores"), *DETECT], {"chosen": T.INT64, "found": T.FLOAT}, [1, 5], NMS),
}
CLOSE = np.float32([[0.2, 0.5, 0.5, 0.5, 0.2], [0.7, 0.7, 0.3, 0.7, 0.3]])


def scores(shape):
    """Return two noisy copies of nearly tied scores, in a model's shape."""
    x = CLOSE if shape != [1, 5] else CLOSE[:1]
    noise = np.random.default_rng(0).uniform(-1e-6, 1e-6, x.shape).astype(np.float32)
    pair = (x + noise, x - noise) if shape[-1] == 5 else ((x + noise).T, (x - noise).T)
    return [np.ascontiguousarray(item) for item in pair]


def answers(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": x}), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_swapped_rows_with_tied_scores_are_not_a_difference(tmp_path, name):
    nodes, outputs, shape, weights = MODELS[name]
    path = save_model(tmp_path, nodes, outputs, shape, weights)
    here, there = scores(shape)
    expected, got = answers(path, here), answers(path, there)
    tolerances = dict.fromkeys(expected, FLOAT32)
    assert not equal(got, expected, tolerances), "the noise changes the order"
    result, moved = align_rows(got, expected, Rankings(path, onnx.load(path)).of({"x": here}), tolerances)
    assert equal(result, expected, tolerances)
    assert moved


@pytest.mark.parametrize("name", MODELS)
def test_swapped_rows_with_different_scores_are_a_difference(tmp_path, name):
    nodes, outputs, shape, weights = MODELS[name]
    path = save_model(tmp_path, nodes, outputs, shape, weights)
    here = np.ascontiguousarray(np.arange(10, dtype=np.float32).reshape(2, 5)[: 1 if shape == [1, 5] else 2])
    here = here if shape[-1] == 5 else np.ascontiguousarray(here.T)
    expected, got = answers(path, here), answers(path, -here)
    tolerances = dict.fromkeys(expected, FLOAT32)
    result, moved = align_rows(got, expected, Rankings(path, onnx.load(path)).of({"x": here}), tolerances)
    assert not equal(result, expected, tolerances)
    assert moved == 0


def test_a_repeated_index_is_a_difference_despite_its_tied_score(tmp_path):
    path = save_model(tmp_path, *MODELS["values and indices"])
    x = np.float32([[0.5, 0.5, 0.1, 0.0, 0.0]] * 2)
    expected = answers(path, x)
    got = expected | {"indices": np.where(expected["indices"] == 1, 0, expected["indices"])}
    result, moved = align_rows(
        got, expected, Rankings(path, onnx.load(path)).of({"x": x}), dict.fromkeys(expected, FLOAT32)
    )
    assert (result["indices"] == got["indices"]).all()
    assert moved == 0


def test_a_box_with_the_label_of_another_box_is_a_difference(tmp_path):
    path = save_model(tmp_path, *MODELS["rows and labels by index"])
    here, _ = scores([2, 5])
    expected = answers(path, here)
    got = expected | {"labels": expected["labels"][:, ::-1]}
    tolerances = dict.fromkeys(expected, FLOAT32)
    result, _ = align_rows(got, expected, Rankings(path, onnx.load(path)).of({"x": here}), tolerances)
    assert not equal(result, expected, tolerances)


def test_a_model_that_ranks_nothing_has_no_rankings(tmp_path):
    path = save_model(tmp_path, [node("Relu", "x", "y")], {"y": T.FLOAT}, [2, 5])
    assert not Rankings(path, onnx.load(path))


def test_comparison_notes_how_many_rows_were_swapped(tmp_path):
    path = save_model(tmp_path, *MODELS["values and indices"])
    here, there = scores([2, 5])
    rankings = Rankings(path, onnx.load(path))

    class Noisy:
        converter = None

        def __init__(self, name, x):
            self.name, self.x = name, x

        def open(self):
            return self

        def infer(self, feeds):
            return answers(path, self.x)

        def close(self):
            pass

    runtimes = [Noisy("onnxruntime", here), Noisy("tensorflow", there)]
    tolerances = {"values": FLOAT32, "indices": FLOAT32}

    def align(feeds, got, expected):
        return align_rows(got, expected, rankings.of(feeds), tolerances)

    for chosen, agree in ((align, True), (None, False)):
        measured = measure(runtimes[0], runtimes, [InputSet("noise", {"x": here})], (2,), align=chosen)
        comparison = judge(measured, {(item.name, None): 1 for item in runtimes}, "onnxruntime", CompareConfig())
        assert comparison.agree is agree
        assert any("rows swapped" in note for note in comparison.notes) is agree
