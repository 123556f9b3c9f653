"""Attention with a dynamic batch and dynamic lengths."""

import numpy as np
import pytest
from onnx import TensorProto, helper, reference

from testing.node_tests import trace
from tests.convert.native.test_operators import draw


@pytest.mark.parametrize(
    ("inputs", "attributes"),
    [
        ({"q": (2, 5, 24), "k": (2, 5, 12), "v": (2, 5, 18)}, {"q_num_heads": 6, "kv_num_heads": 3, "is_causal": 1}),
        ({"q": (2, 3, 12), "k": (2, 7, 12), "v": (2, 7, 12), "mask": (3, 5)},
         {"q_num_heads": 2, "kv_num_heads": 2, "softcap": 2.0, "scale": 0.3}),
        ({"q": (2, 4, 1, 6), "k": (2, 2, 1, 6), "v": (2, 2, 1, 5), "mask": (2, 1, 1, 9), "pk": (2, 2, 8, 6),
          "pv": (2, 2, 8, 5)}, {"is_causal": 1}),
    ],
    ids=["heads-share-keys", "short-mask", "cache"],
)  # fmt: skip
def test_attention(inputs, attributes):
    values = {name: draw(*shape) for name, shape in inputs.items()}
    if "mask" in values:
        values["mask"] = values["mask"] > -1
    names = [name if name in values else "" for name in ("q", "k", "v", "mask", "pk", "pv")]
    outputs = ["y", "present_key", "present_value"]
    static_axis = 2 if len(inputs["q"]) == 3 else 1  # the features, or the heads
    graph = helper.make_graph(
        [helper.make_node("Attention", names, outputs, **attributes)],
        "graph",
        [
            helper.make_tensor_value_info(
                name,
                TensorProto.BOOL if name == "mask" else TensorProto.FLOAT,
                [size if axis == static_axis and name != "mask" else None for axis, size in enumerate(value.shape)],
            )
            for name, value in values.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11)
    expected = reference.ReferenceEvaluator(model).run(None, values)
    for result, value in zip(trace(model)(*values.values()), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=2e-6, atol=2e-6)
