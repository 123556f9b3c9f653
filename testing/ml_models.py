"""Models of ai.onnx.ml with random parameters."""

import numpy as np
import onnx
import onnx.helper as oh

ML = "ai.onnx.ml"


X = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)


FLOAT, INT64, STRING = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.STRING


def model_of(op, x, outputs, version=3, **attributes):
    """A model of one node; `outputs` are ONNX's numbers of their dtypes."""
    names = [f"y{place}" for place in range(len(outputs))]
    node = oh.make_node(op, ["x"], names, domain=ML, **attributes)
    kind = STRING if x.dtype.kind in "OU" else oh.np_dtype_to_tensor_dtype(x.dtype)
    results = [oh.make_tensor_value_info(name, dtype, None) for name, dtype in zip(names, outputs, strict=True)]
    graph = oh.make_graph([node], "ml", [oh.make_tensor_value_info("x", kind, [None, *x.shape[1:]])], results)
    opsets = [oh.make_opsetid("", 18), oh.make_opsetid(ML, version)]
    return oh.make_model(graph, opset_imports=opsets, ir_version=10)


def trees(leaf, targets, count=6, mode="BRANCH_LEQ", depth=3, fractions=False, one_target=False):
    """The attributes of full trees with random splits, for five features; the targets take turns."""
    rng = np.random.default_rng(1)
    inner, size = 2**depth - 1, 2 ** (depth + 1) - 1
    nodes = np.tile(np.arange(size), count)
    is_leaf = nodes >= inner
    to = [np.where(is_leaf, 0, 2 * nodes + side) for side in (1, 2)]
    owners = np.repeat(np.arange(count), size)
    drawn = rng.random(is_leaf.sum()) if fractions else rng.standard_normal(is_leaf.sum())
    modes = np.where(is_leaf, "LEAF", mode if isinstance(mode, str) else np.resize(mode, len(nodes)))
    return {
        "nodes_treeids": owners.tolist(),
        "nodes_nodeids": nodes.tolist(),
        "nodes_featureids": (nodes % 5).tolist(),
        "nodes_values": rng.standard_normal(len(nodes)).astype(np.float32).tolist(),
        "nodes_modes": modes.tolist(),
        "nodes_truenodeids": to[0].tolist(),
        "nodes_falsenodeids": to[1].tolist(),
        "nodes_missing_value_tracks_true": (nodes % 2).tolist(),
        f"{leaf}_treeids": owners[is_leaf].tolist(),
        f"{leaf}_nodeids": nodes[is_leaf].tolist(),
        f"{leaf}_ids": (owners[is_leaf] % targets * (not one_target)).tolist(),
        f"{leaf}_weights": (drawn / count).astype(np.float32).tolist(),
    }


def drawn(*shape):
    """Random numbers as an attribute."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32).ravel().tolist()


def machine(classes, kernel="RBF", fractions=False, texts=False):
    """The attributes of a classifier for five features, with 3, 4, ... support vectors of the classes."""
    sizes = list(range(3, 3 + classes))
    pairs = classes * (classes - 1) // 2
    labels = (
        {"classlabels_strings": list("abcdef"[:classes])} if texts else {"classlabels_ints": [9, 4, 7, 1][:classes]}
    )
    coupled = {"prob_a": [-1.5, -0.8, -2.0, -1.0, -0.5, -1.2][:pairs], "prob_b": drawn(pairs)} if fractions else {}
    return {
        "coefficients": drawn(classes - 1, sum(sizes)),
        "rho": drawn(pairs),
        "vectors_per_class": sizes,
        "support_vectors": drawn(sum(sizes), 5),
        "kernel_type": kernel,
        "kernel_params": [0.2, 0.5, 3.0],
        **labels,
        **coupled,
    }
