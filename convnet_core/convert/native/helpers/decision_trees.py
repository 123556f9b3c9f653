"""Decision tree ensembles as tables: one node list for all trees, evaluated level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _

LEAF = "LEAF"
_MEMBER = "BRANCH_MEMBER"


@dataclass(frozen=True)
class Forest:
    """The nodes [n] of all trees. A leaf points to itself, so trees of any depth take the same number of steps.

    A feature is compared with `splits` [n] or looked up in the set `members` [n, m] (padded with NaN). `weights`
    [n, targets] is what a leaf adds; `counts` [n, targets] tells whether it adds anything.
    """

    roots: NDArray[np.int64]
    features: NDArray[np.int64]
    modes: NDArray[np.str_]
    splits: NDArray[Any]
    members: NDArray[Any]
    yes: NDArray[np.int64]
    no: NDArray[np.int64]
    missing_is_yes: NDArray[np.bool_]
    weights: NDArray[Any]
    counts: NDArray[np.bool_]

    def values(self, x: Any, aggregate: str = "SUM") -> Any:
        """The combined output [batch, targets] of all trees for samples [batch, features]."""
        leaves = self._leaves(x)
        leaf_values = tf.gather(tf.constant(self.weights), leaves)  # [batch, trees, targets]
        match aggregate:
            case "SUM":
                return tf.reduce_sum(leaf_values, 1)
            case "AVERAGE":
                return tf.reduce_sum(leaf_values, 1) / len(self.roots)
        counts = tf.gather(tf.constant(self.counts), leaves)
        reduce, empty = (tf.reduce_min, np.inf) if aggregate == "MIN" else (tf.reduce_max, -np.inf)
        extreme = reduce(tf.where(counts, leaf_values, tf.cast(empty, leaf_values.dtype)), 1)
        return tf.where(tf.reduce_any(counts, 1), extreme, tf.zeros_like(extreme))

    def _leaves(self, x: Any) -> Any:
        """The index of the leaf that each sample reaches in each tree: [batch, trees]."""
        x = tf.cast(x, self.splits.dtype)
        index = tf.tile(tf.constant(self.roots)[tf.newaxis], [tf.shape(x)[0], 1])
        for _level in range(self._depth()):
            value = tf.gather(x, tf.gather(tf.constant(self.features), index), batch_dims=1)
            holds = self._holds(value, index)
            if self.missing_is_yes.any():
                holds |= tf.math.is_nan(value) & tf.gather(tf.constant(self.missing_is_yes), index)
            index = tf.where(holds, tf.gather(tf.constant(self.yes), index), tf.gather(tf.constant(self.no), index))
        return index

    def _holds(self, value: Any, index: Any) -> Any:
        """Whether the condition of each node holds for the value of its feature."""
        used = sorted(set(self.modes.tolist()) - {LEAF})
        split = tf.gather(tf.constant(self.splits), index)
        outcomes = {mode: self._compare(mode, value, split, index) for mode in used}
        result = outcomes[used[0]]
        for mode in used[1:]:
            result = tf.where(tf.gather(tf.constant(self.modes == mode), index), outcomes[mode], result)
        return result

    def _compare(self, mode: str, value: Any, split: Any, index: Any) -> Any:
        match mode:
            case "BRANCH_LEQ":
                return value <= split
            case "BRANCH_LT":
                return value < split
            case "BRANCH_GTE":
                return value >= split
            case "BRANCH_GT":
                return value > split
            case "BRANCH_EQ":
                return tf.equal(value, split)
            case "BRANCH_NEQ":
                return tf.not_equal(value, split)
            case "BRANCH_MEMBER":
                return tf.reduce_any(tf.equal(value[..., tf.newaxis], tf.gather(tf.constant(self.members), index)), -1)
        raise ConversionError(_("unknown tree condition {mode}", mode=mode))

    def _depth(self) -> int:
        """The depth of the deepest leaf. Raises ConversionError if a branch forms a cycle."""
        level, depth = self.roots, 0
        while (level := level[self.modes[level] != LEAF]).size:
            level, depth = np.unique(np.concatenate([self.yes[level], self.no[level]])), depth + 1
            if depth > len(self.modes):
                raise ConversionError(_("a branch of a tree leads back to a node above it"))
        return depth


def forest_of_nodes(targets: int, leaf: str, attributes: dict[str, Any], dtype: Any) -> Forest:
    """A forest from the attributes of TreeEnsembleClassifier (`leaf` is "class") or TreeEnsembleRegressor ("target").

    These operators identify a node by its tree number and node number.
    """
    trees, ids = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    indices = {pair: index for index, pair in enumerate(zip(trees, ids, strict=True))}
    modes = np.array(attributes["nodes_modes"])
    positions = np.arange(len(modes))

    def branch(name: str) -> NDArray[np.int64]:
        pairs = zip(trees, attributes[name], modes, positions, strict=True)
        return np.array([index if mode == LEAF else indices[tree, to] for tree, to, mode, index in pairs], np.int64)

    weights = np.zeros((len(modes), targets), dtype)
    leaf_values = zip(attributes[f"{leaf}_treeids"], attributes[f"{leaf}_nodeids"], strict=True)
    rows, columns = [indices[pair] for pair in leaf_values], attributes[f"{leaf}_ids"]
    np.add.at(weights, (rows, columns), float_attribute(attributes, f"{leaf}_weights", dtype))
    counts = np.zeros(weights.shape, bool)
    counts[rows, columns] = True
    roots = np.unique(np.array(trees), return_index=True)[1]
    return Forest(
        roots=roots.astype(np.int64),
        features=np.array(attributes["nodes_featureids"], np.int64) * (modes != LEAF),
        modes=modes,
        splits=float_attribute(attributes, "nodes_values", dtype),
        members=np.zeros((len(modes), 0), dtype),
        yes=branch("nodes_truenodeids"),
        no=branch("nodes_falsenodeids"),
        missing_is_yes=np.array(attributes.get("nodes_missing_value_tracks_true") or positions * 0, bool),
        weights=weights,
        counts=counts,
    )


def float_attribute(attributes: dict[str, Any], name: str, dtype: Any) -> NDArray[Any]:
    """An attribute stored as a list of floats or, with the suffix `_as_tensor`, as a tensor; empty if absent."""
    tensor = attributes.get(f"{name}_as_tensor")
    return np.asarray(attributes.get(name) or [] if tensor is None else tensor, dtype)


_MODES = np.array(
    ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", _MEMBER]
)  # indexed by the numbers in TreeEnsemble-5


def forest_of_branches(attributes: dict[str, Any]) -> Forest:
    """A forest from the attributes of TreeEnsemble: inner nodes first, then the leaves from their separate list."""
    inner = _MODES[attributes["nodes_modes"]]
    splits, weights = attributes["nodes_splits"], attributes["leaf_weights"]
    count, targets = len(inner), np.array(attributes["leaf_targetids"])
    indices = count + np.arange(len(weights))
    table = np.zeros((count + len(weights), attributes["n_targets"]), weights.dtype)
    table[indices, targets] = weights
    counts = np.zeros(table.shape, bool)
    counts[indices, targets] = True

    def branch(name: str) -> NDArray[np.int64]:
        to, leaf = np.array(attributes[f"nodes_{name}nodeids"]), np.array(attributes[f"nodes_{name}leafs"])
        return np.concatenate([to + count * leaf, indices])

    def pad_leaves(values: Any, dtype: Any) -> NDArray[Any]:
        return np.concatenate([np.asarray(values, dtype), np.zeros(len(weights), dtype)])

    missing = attributes.get("nodes_missing_value_tracks_true") or [0] * count
    return Forest(
        roots=np.array(attributes["tree_roots"], np.int64),
        features=pad_leaves(attributes["nodes_featureids"], np.int64),
        modes=np.concatenate([inner, np.full(len(weights), LEAF)]),
        splits=pad_leaves(splits, splits.dtype),
        members=_members(inner, attributes.get("membership_values"), len(table), splits.dtype),
        yes=branch("true"),
        no=branch("false"),
        missing_is_yes=pad_leaves(missing, bool),
        weights=table,
        counts=counts,
    )


def _members(modes: NDArray[np.str_], values: Any, nodes: int, dtype: Any) -> NDArray[Any]:
    """The nodes' sets as a table [nodes, largest set]. In `values` the sets are separated by NaN."""
    if values is None:
        return np.zeros((nodes, 0), dtype)
    sets: list[list[float]] = [[]]
    for value in values:
        if np.isnan(value):
            sets.append([])
        else:
            sets[-1].append(value)
    table = np.full((nodes, max(map(len, sets))), np.nan, dtype)
    for index, members in zip(np.flatnonzero(modes == _MEMBER), sets, strict=False):
        table[index, : len(members)] = members
    return table
