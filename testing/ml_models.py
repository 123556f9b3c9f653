"""Models of ai.onnx.ml with random parameters."""

import numpy as np
import onnx
import onnx.helper as oh

ML = "ai.onnx.ml"


X = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)


FLOAT, INT64, STRING = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING


def one_node_model(op, x, outputs, version=3, **attributes):
    """A model with one ai.onnx.ml node; `outputs` are ONNX's enum values for the output dtypes."""
    names = [f"y{index}" for index in range(len(outputs))]
    node = oh.make_node(op, ["x"], names, domain=ML, **attributes)
    kind = STRING if x.dtype.kind in "OU" else oh.np_dtype_to_tensor_dtype(x.dtype)
    results = [oh.make_tensor_value_info(name, dtype, None) for name, dtype in zip(names, outputs, strict=True)]
    graph = oh.make_graph([node], "ml", [oh.make_tensor_value_info("x", kind, [None, *x.shape[1:]])], results)
    opsets = [oh.make_opsetid("", 18), oh.make_opsetid(ML, version)]
    return oh.make_model(graph, opset_imports=opsets, ir_version=10)


def tree_attributes(leaf, targets, count=6, mode="BRANCH_LEQ", depth=3, fractions=False, one_target=False):
    """Attributes of a tree ensemble: full trees with random splits on five features; leaves cycle through targets."""
    rng = np.random.default_rng(1)
    inner_count, size = 2**depth - 1, 2 ** (depth + 1) - 1
    nodes = np.tile(np.arange(size), count)
    is_leaf = nodes >= inner_count
    children = [np.where(is_leaf, 0, 2 * nodes + side) for side in (1, 2)]
    tree_ids = np.repeat(np.arange(count), size)
    weights = rng.random(is_leaf.sum()) if fractions else rng.standard_normal(is_leaf.sum())
    modes = np.where(is_leaf, "LEAF", mode if isinstance(mode, str) else np.resize(mode, len(nodes)))
    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": nodes.tolist(),
        "nodes_featureids": (nodes % 5).tolist(),
        "nodes_values": rng.standard_normal(len(nodes)).astype(np.float32).tolist(),
        "nodes_modes": modes.tolist(),
        "nodes_truenodeids": children[0].tolist(),
        "nodes_falsenodeids": children[1].tolist(),
        "nodes_missing_value_tracks_true": (nodes % 2).tolist(),
        f"{leaf}_treeids": tree_ids[is_leaf].tolist(),
        f"{leaf}_nodeids": nodes[is_leaf].tolist(),
        f"{leaf}_ids": (tree_ids[is_leaf] % targets * (not one_target)).tolist(),
        f"{leaf}_weights": (weights / count).astype(np.float32).tolist(),
    }


def random_attribute(*shape):
    """Random floats as a list, for an attribute."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32).ravel().tolist()


def svm_attributes(classes, kernel="RBF", fractions=False, texts=False):
    """Attributes of an SVM classifier on five features; its classes have 3, 4, ... support vectors."""
    sizes = list(range(3, 3 + classes))
    pairs = classes * (classes - 1) // 2
    labels = (
        {"classlabels_strings": list("abcdef"[:classes])} if texts else {"classlabels_ints": [9, 4, 7, 1][:classes]}
    )
    probabilities = (
        {"prob_a": [-1.5, -0.8, -2.0, -1.0, -0.5, -1.2][:pairs], "prob_b": random_attribute(pairs)} if fractions else {}
    )
    return {
        "coefficients": random_attribute(classes - 1, sum(sizes)),
        "rho": random_attribute(pairs),
        "vectors_per_class": sizes,
        "support_vectors": random_attribute(sum(sizes), 5),
        "kernel_type": kernel,
        "kernel_params": [0.2, 0.5, 3.0],
        **labels,
        **probabilities,
    }
