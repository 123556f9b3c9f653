"""Small models for operators without an ONNX node test."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto

from testing.litert import model
from testing.ml_models import FLOAT, INT64, X, one_node_model, random_attribute, svm_attributes, tree_attributes

F, I = np.float32, np.int64  # noqa: E741
IMAGE = (F, [1, 2, 6, 6])
PAIR = {"a": (F, [2, 3]), "b": (F, [2, 3])}
SEQUENCE: tuple[str, list[str], list[str], dict[str, Any]] = ("SequenceConstruct", ["a", "b"], ["s"], {})


def models() -> dict[tuple[str, str], ModelProto]:
    """By domain and operator."""
    plain = {
        "ConcatFromSequence": _sequence_model(),
        "GlobalLpPool": model([("GlobalLpPool", ["x"], ["y"], {})], {"x": IMAGE}, {"y": (F, [1, 2, 1, 1])}),
        "MaxRoiPool": model(
            [("MaxRoiPool", ["x", "r"], ["y"], {"pooled_shape": [2, 2]})],
            {"x": IMAGE},
            {"y": (F, [1, 2, 2, 2])},
            {"r": np.array([[0, 0, 0, 4, 4]], F)},
        ),
        "Multinomial": _random_model("Multinomial", sample_size=2, dtype=int(TensorProto.INT64)),
        "RandomNormal": _random_model("RandomNormal", shape=[2, 3]),
        "RandomUniform": _random_model("RandomUniform", shape=[2, 3]),
        "Bernoulli": _random_model("Bernoulli"),
        "RandomNormalLike": _random_model("RandomNormalLike"),
        "RandomUniformLike": _random_model("RandomUniformLike"),
        "Optional": model(
            [("Optional", ["a"], ["o"], {}), ("OptionalGetElement", ["o"], ["y"], {})],
            {"a": (F, [2, 3])},
            {"y": (F, [2, 3])},
        ),
        "SequenceConstruct": _sequence_model(),
        "SequenceAt": _sequence_model(("SequenceAt", ["s", "one"], ["y"], {}), rows=2),
        "SequenceErase": _sequence_model(("SequenceErase", ["s", "one"], ["t"], {}), rows=2),
    }
    number = F(random_attribute(15)).tolist()
    ml = {
        "FeatureVectorizer": one_node_model("FeatureVectorizer", X[:2], [FLOAT], 1, inputdimensions=[5]),
        "Imputer": one_node_model("Imputer", X[:2], [FLOAT], 1, imputed_value_floats=[7.0], replaced_value_float=0.0),
        "LinearClassifier": one_node_model(
            "LinearClassifier", X[:2], [INT64, FLOAT], 1, coefficients=number, classlabels_ints=[1, 2, 3],
            intercepts=[0.1, 0.2, 0.3],
        ),
        "LinearRegressor": one_node_model(
            "LinearRegressor", X[:2], [FLOAT], 1, coefficients=number, targets=3, intercepts=[0.1, 0.2, 0.3]
        ),
        "Normalizer": one_node_model("Normalizer", X[:2], [FLOAT], 1, norm="L2"),
        "OneHotEncoder": one_node_model("OneHotEncoder", np.array([[1], [2]]), [FLOAT], 1, cats_int64s=[1, 2, 3]),
        "SVMClassifier": one_node_model("SVMClassifier", X[:2], [INT64, FLOAT], 1, **svm_attributes(3)),
        "SVMRegressor": one_node_model(
            "SVMRegressor", X[:2], [FLOAT], 1, kernel_type="RBF", kernel_params=[0.2, 0.5, 3.0],
            coefficients=random_attribute(7), rho=[0.3], n_supports=7, support_vectors=random_attribute(7, 5),
        ),
        "Scaler": one_node_model("Scaler", X[:2], [FLOAT], 1, offset=[0.5], scale=[2.0]),
        "TreeEnsembleClassifier": one_node_model(
            "TreeEnsembleClassifier", X[:2], [INT64, FLOAT], classlabels_int64s=[3, 5, 9], **tree_attributes("class", 3)
        ),
        "TreeEnsembleRegressor": one_node_model(
            "TreeEnsembleRegressor", X[:2], [FLOAT], n_targets=1, **tree_attributes("target", 1)
        ),
    }  # fmt: skip
    return {("", op): item for op, item in plain.items()} | {
        ("ai.onnx.ml", op): _add_output_ranks(item) for op, item in ml.items()
    }


def _add_output_ranks(model: ModelProto) -> ModelProto:
    """Add the ranks of the outputs, which onnx does not infer: labels [n], scores and features [n, k]."""
    for value in model.graph.output:
        for _ in range(1 if value.type.tensor_type.elem_type == INT64 else 2):
            value.type.tensor_type.shape.dim.add()
    return model


def _random_model(op: str, **attributes: Any) -> ModelProto:
    inputs = {} if "shape" in attributes else {"x": (F, [2, 3])}
    dtype, shape = (I, [2, 2]) if op == "Multinomial" else (F, [2, 3])
    return model([(op, list(inputs), ["y"], attributes)], inputs, {"y": (dtype, shape)})


def _sequence_model(node: Any = None, rows: int = 4) -> ModelProto:
    """Build a sequence of two tensors, optionally change it with `node`, and return it as one tensor."""
    last = ("ConcatFromSequence", ["t" if node else "s"], ["y"], {"axis": 0})
    nodes = [SEQUENCE, *([node] if node else []), *([] if node and node[2] == ["y"] else [last])]
    return model(nodes, PAIR, {"y": (F, [rows, 3])}, {"one": np.array(1)} if node else {})
