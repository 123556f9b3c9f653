"""ai.onnx.ml, which scikit-learn, XGBoost and LightGBM export to, compared with ONNX Runtime."""

import numpy as np
import onnx.helper as oh
import onnxruntime
import pytest

from convnet_core.convert.native import converter
from convnet_core.errors import ConversionError, UnsupportedOpError
from testing import node_tests
from testing.ml_models import FLOAT, INT64, ML, STRING, X, one_node_model, tree_attributes


def assert_agrees(op, x, outputs, version=3, **attributes):
    """Compare the converter's outputs with ONNX Runtime's."""
    model = one_node_model(op, x, outputs, version, **attributes)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for got, value in zip(node_tests.run(model, [x]), expected, strict=True):
        node_tests.assert_same(got, np.asarray(value), 1e-5, 1e-6)


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [1, 3])
def test_regression_by_trees(aggregate, targets):
    attributes = tree_attributes("target", targets)
    assert_agrees("TreeEnsembleRegressor", X, [FLOAT], n_targets=targets, aggregate_function=aggregate, **attributes)


@pytest.mark.parametrize("mode", ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"])
def test_every_condition_of_trees(mode):
    x = X.round()
    attributes = tree_attributes("target", 1, mode=f"BRANCH_{mode}")
    attributes["nodes_values"] = np.round(attributes["nodes_values"]).tolist()
    assert_agrees("TreeEnsembleRegressor", x, [FLOAT], n_targets=1, **attributes)


def test_trees_with_mixed_conditions_missing_values_and_a_base():
    x = X.copy()
    x[::3, 1] = np.nan
    attributes = tree_attributes("target", 2, mode=["BRANCH_LEQ", "BRANCH_GT"])
    assert_agrees("TreeEnsembleRegressor", x, [FLOAT], n_targets=2, base_values=[0.5, -1.0], **attributes)


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("labels", [{"classlabels_int64s": [3, 5, 9]}, {"classlabels_strings": ["a", "b", "c"]}])
def test_classification_by_trees(transform, labels):
    kind = INT64 if "classlabels_int64s" in labels else STRING
    assert_agrees(
        "TreeEnsembleClassifier", X, [kind, FLOAT], post_transform=transform, **labels, **tree_attributes("class", 3)
    )


@pytest.mark.parametrize("fractions", [True, False])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_two_classes_with_one_score(fractions, transform):
    attributes = tree_attributes("class", 2, fractions=fractions, one_target=True)
    assert_agrees(
        "TreeEnsembleClassifier",
        X,
        [INT64, FLOAT],
        post_transform=transform,
        classlabels_int64s=[0, 1],
        **attributes,
    )


def test_a_tree_with_a_cycle_is_an_error():
    attributes = tree_attributes("target", 1)
    attributes["nodes_truenodeids"][1] = 0
    with pytest.raises(ConversionError, match="leads back"):
        node_tests.run(one_node_model("TreeEnsembleRegressor", X, [FLOAT], n_targets=1, **attributes), [X])


def test_linear_models():
    weights = np.random.default_rng(2).standard_normal(15).astype(np.float32).tolist()
    assert_agrees("LinearRegressor", X, [FLOAT], 1, coefficients=weights, intercepts=[0.1, 0.2, 0.3], targets=3)
    for transform in ("NONE", "SOFTMAX", "LOGISTIC"):
        assert_agrees(
            "LinearClassifier",
            X,
            [INT64, FLOAT],
            1,
            coefficients=weights,
            intercepts=[0.1, 0.2, 0.3],
            classlabels_ints=[1, 2, 3],
            post_transform=transform,
        )


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Scaler", {"offset": [0.0, 1.0, 2.0, 3.0, 4.0], "scale": [1.0, 2.0, 0.5, 3.0, 0.1]}),
        ("Scaler", {"offset": [0.5], "scale": [2.0]}),
        *[("Normalizer", {"norm": norm}) for norm in ("MAX", "L1", "L2")],
        ("Binarizer", {"threshold": 0.25}),
        ("Imputer", {"imputed_value_floats": [1.0, 2.0, 3.0, 4.0, 5.0], "replaced_value_float": float("nan")}),
        ("Imputer", {"imputed_value_floats": [7.0], "replaced_value_float": 0.0}),
    ],
)
def test_features(op, attributes):
    x = X.copy()
    x[::4, 2] = np.nan if op == "Imputer" else 0
    assert_agrees(op, x, [FLOAT], 1, **attributes)


def test_categories():
    texts = np.array([["a"], ["c"], ["b"], ["z"]])
    assert_agrees("OneHotEncoder", texts, [FLOAT], 1, cats_strings=["a", "b", "c"])
    assert_agrees("OneHotEncoder", np.array([[1], [2], [7]]), [FLOAT], 1, cats_int64s=[1, 2, 3])
    assert_agrees(
        "LabelEncoder", texts, [INT64], 2, keys_strings=["a", "b", "c"], values_int64s=[5, 6, 7], default_int64=-3
    )
    assert_agrees(
        "LabelEncoder", np.array([[1], [2], [9]]), [STRING], 2, keys_int64s=[1, 2], values_strings=["one", "two"]
    )
    numbers = np.array([[1.0], [np.nan], [3.0]], np.float32)
    assert_agrees("LabelEncoder", numbers, [FLOAT], 4, keys_floats=[1.0, float("nan")], values_floats=[0.5, 9.0])


def test_zipmap_is_refused_with_a_workaround():
    node = oh.make_node("ZipMap", ["x"], ["y0"], domain=ML, classlabels_int64s=[0, 1])
    model = one_node_model("Scaler", X, [FLOAT], 1)
    model.graph.node[0].CopyFrom(node)
    with pytest.raises(UnsupportedOpError, match="zipmap"):
        converter.convert(converter.read(model))
