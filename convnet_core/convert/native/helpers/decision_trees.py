"""Decision trees as tables: every tree of an ensemble over one list of nodes, walked level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError

LEAF = "LEAF"
_MEMBER = "BRANCH_MEMBER"


@dataclass(frozen=True)
class Forest:
    """Nodes [n] of all trees. A leaf leads to itself, so that trees of any depth are walked in the same steps.

    `splits` hold the number that a feature is compared with, `members` [n, m] the set that it is looked up in (NaN
    where a set is smaller); `weights` [n, targets] what a leaf adds, `counts` [n, targets] whether it adds anything.
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
        """What the trees say of samples [batch, features], together: [batch, targets]."""
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
        """The leaf that each sample ends in, of each tree: [batch, trees]."""
        x = tf.cast(x, self.splits.dtype)
        place = tf.tile(tf.constant(self.roots)[tf.newaxis], [tf.shape(x)[0], 1])
        for _ in range(self._depth()):
            value = tf.gather(x, tf.gather(tf.constant(self.features), place), batch_dims=1)
            holds = self._holds(value, place)
            if self.missing_is_yes.any():
                holds |= tf.math.is_nan(value) & tf.gather(tf.constant(self.missing_is_yes), place)
            place = tf.where(holds, tf.gather(tf.constant(self.yes), place), tf.gather(tf.constant(self.no), place))
        return place

    def _holds(self, value: Any, place: Any) -> Any:
        """Whether the condition of each node holds for the value of its feature."""
        used = sorted(set(self.modes.tolist()) - {LEAF})
        split = tf.gather(tf.constant(self.splits), place)
        found = {mode: self._compare(mode, value, split, place) for mode in used}
        result = found[used[0]]
        for mode in used[1:]:
            result = tf.where(tf.gather(tf.constant(self.modes == mode), place), found[mode], result)
        return result

    def _compare(self, mode: str, value: Any, split: Any, place: Any) -> Any:
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
                return tf.reduce_any(tf.equal(value[..., tf.newaxis], tf.gather(tf.constant(self.members), place)), -1)
        raise ConversionError(f"the trees' condition {mode} is not known")

    def _depth(self) -> int:
        """The steps from the roots to the lowest leaf. Raises ConversionError where a branch leads back."""
        level, depth = self.roots, 0
        while (level := level[self.modes[level] != LEAF]).size:
            level, depth = np.unique(np.concatenate([self.yes[level], self.no[level]])), depth + 1
            if depth > len(self.modes):
                raise ConversionError("a branch of a tree leads back to a node above it")
        return depth


def forest_of_nodes(targets: int, leaf: str, attributes: dict[str, Any], dtype: Any) -> Forest:
    """From the attributes of TreeEnsembleClassifier (`leaf` is "class") and TreeEnsembleRegressor ("target").

    A node is named there by the numbers of its tree and of itself.
    """
    trees, ids = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    places = {pair: place for place, pair in enumerate(zip(trees, ids, strict=True))}
    modes = np.array(attributes["nodes_modes"])
    positions = np.arange(len(modes))

    def branch(name: str) -> NDArray[np.int64]:
        pairs = zip(trees, attributes[name], modes, positions, strict=True)
        return np.array([place if mode == LEAF else places[tree, to] for tree, to, mode, place in pairs], np.int64)

    weights = np.zeros((len(modes), targets), dtype)
    leaf_values = zip(attributes[f"{leaf}_treeids"], attributes[f"{leaf}_nodeids"], strict=True)
    rows, columns = [places[pair] for pair in leaf_values], attributes[f"{leaf}_ids"]
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
    """An attribute that is there as a list of floats, or under another name as a tensor; empty where it is not."""
    tensor = attributes.get(f"{name}_as_tensor")
    return np.asarray(attributes.get(name) or [] if tensor is None else tensor, dtype)


_MODES = np.array(
    ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", _MEMBER]
)  # by number, in TreeEnsemble-5


def forest_of_branches(attributes: dict[str, Any]) -> Forest:
    """From the attributes of TreeEnsemble: inner nodes first, then the leaves, which have a list of their positions."""
    inner = _MODES[attributes["nodes_modes"]]
    splits, weights = attributes["nodes_splits"], attributes["leaf_weights"]
    count, targets = len(inner), np.array(attributes["leaf_targetids"])
    places = count + np.arange(len(weights))
    table = np.zeros((count + len(weights), attributes["n_targets"]), weights.dtype)
    table[places, targets] = weights
    counts = np.zeros(table.shape, bool)
    counts[places, targets] = True

    def branch(name: str) -> NDArray[np.int64]:
        to, leaf = np.array(attributes[f"nodes_{name}nodeids"]), np.array(attributes[f"nodes_{name}leafs"])
        return np.concatenate([to + count * leaf, places])

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
    """The sets that nodes look a feature up in, [nodes, the largest set]; they come one after another, NaN between."""
    if values is None:
        return np.zeros((nodes, 0), dtype)
    sets: list[list[float]] = [[]]
    for value in values:
        if np.isnan(value):
            sets.append([])
        else:
            sets[-1].append(value)
    table = np.full((nodes, max(map(len, sets))), np.nan, dtype)
    for place, members in zip(np.flatnonzero(modes == _MEMBER), sets, strict=False):
        table[place, : len(members)] = members
    return table
