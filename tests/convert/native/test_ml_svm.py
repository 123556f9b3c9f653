"""Support vector machines of ai.onnx.ml, compared with ONNX Runtime."""

import numpy as np
import pytest

from convnet_core.errors import ConversionError
from testing import node_tests
from testing.ml_models import FLOAT, INT64, STRING, X, one_node_model, random_attribute, svm_attributes
from tests.convert.native.test_ml import assert_agrees

KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_regression(kernel):
    attributes = {
        "coefficients": random_attribute(7),
        "rho": [0.3],
        "n_supports": 7,
        "support_vectors": random_attribute(7, 5),
    }
    for params in ([0.2, 0.5, 3.0], [0.4, 0.0, 2.0]):
        assert_agrees("SVMRegressor", X, [FLOAT], 1, kernel_type=kernel, kernel_params=params, **attributes)


def test_regression_without_support_vectors_and_with_one_class():
    attributes = {"coefficients": random_attribute(5), "rho": [0.3], "kernel_params": [0.2, 0.5, 3.0]}
    assert_agrees("SVMRegressor", X, [FLOAT], 1, **attributes, kernel_type="RBF")
    assert_agrees("SVMRegressor", X, [FLOAT], 1, **attributes, one_class=1)
    assert_agrees("SVMRegressor", X, [FLOAT], 1, **attributes, post_transform="LOGISTIC")


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("kernel", KERNELS)
def test_classification(kernel, classes, fractions):
    texts = classes == 3
    attributes = svm_attributes(classes, kernel, fractions, texts)
    assert_agrees("SVMClassifier", X, [STRING if texts else INT64, FLOAT], 1, **attributes)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("transform", ["SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
def test_transforms_of_scores(transform, classes):
    for fractions in (False, True):
        attributes = svm_attributes(classes, fractions=fractions)
        assert_agrees("SVMClassifier", X, [INT64, FLOAT], 1, post_transform=transform, **attributes)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("positive", [False, True])
def test_classification_without_support_vectors(classes, positive):
    weights = np.array(random_attribute(classes, 5))
    attributes = {
        "coefficients": (np.abs(weights) if positive else weights).tolist(),
        "rho": [0.3],
        "kernel_params": [0.2, 0.5, 3.0],
        "classlabels_ints": [5, 3, 8][:classes],
    }
    for transform in ("NONE", "SOFTMAX"):
        assert_agrees("SVMClassifier", X, [INT64, FLOAT], 1, post_transform=transform, **attributes)


def test_other_input_dtypes_are_cast_to_float32():
    for x in (X.astype(np.float64), np.round(X).astype(np.int64)):
        assert_agrees("SVMClassifier", x, [INT64, FLOAT], 1, **svm_attributes(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_type": "WAVES"}, "kernel_type 'WAVES'"),
        ({"classlabels_ints": [1]}, "two classes"),
        ({"post_transform": "PROBIT"}, "PROBIT"),
    ],
)
def test_undefined_attribute_values_are_an_error(change, message):
    model = one_node_model("SVMClassifier", X, [INT64, FLOAT], 1, **(svm_attributes(2) | change))
    with pytest.raises(ConversionError, match=message):
        node_tests.run(model, [X])
