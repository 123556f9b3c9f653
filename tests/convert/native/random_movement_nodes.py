"""Random nodes that move values: reshapes, slices, gathers, scatters, and tensors built from numbers."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from tests.convert.native.random_drafts import NUMBERS, SIZES, node


@node("Transpose")
def _transpose(d):
    x = d.pick((*NUMBERS, "bool"))
    perm = d.draw(st.permutations(range(d.values[x].ndim)))
    return [x], {"perm": perm} if perm and d.flag() else {}


@node("Reshape")
def _reshape(d):
    x = d.pick((*NUMBERS, "bool"), most=3)
    shape = list(d.values[x].shape)
    position = d.draw(st.integers(0, len(shape)))
    target = [*shape[:position], *([1] if d.flag() else []), *shape[position:]]
    if len(target) > 1 and d.flag():
        target[:2] = [target[0] * target[1]]
    if target and d.values[x].size and d.flag():
        target[d.draw(st.integers(0, len(target) - 1))] = -1
    return [x, d.const(*target)], {"allowzero": 1}


@node("Flatten")
def _flatten(d):
    x = d.pick(("float32", "int64"))
    rank = d.values[x].ndim
    return [x], {"axis": d.draw(st.integers(-rank, rank))}


@node("Squeeze")
def _squeeze(d):
    x = d.pick(("float32", "int64"))
    ones = [axis for axis, size in enumerate(d.values[x].shape) if size == 1]
    chosen = d.draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    return [x, *([d.const(*chosen)] if chosen or not ones else [])], {}


@node("Unsqueeze")
def _unsqueeze(d):
    x = d.pick(("float32", "int64", "bool"), most=3)
    return [x, d.const(d.axis(d.values[x].ndim + 1))], {}


@node("Expand")
def _expand(d):
    x = d.pick(("float32", "bool", "int32"), most=3)
    target = [d.draw(st.sampled_from([size, 1])) if size != 1 else d.draw(SIZES) for size in d.values[x].shape]
    return [x, d.const(*([2] if d.flag() else []), *target)], {}


@node("Tile")
def _tile(d):
    x = d.pick(("float32", "int64"), most=3)
    return [x, d.const(*(d.draw(st.integers(0, 2)) for _ in d.values[x].shape))], {}


@node("Concat")
def _concat(d):
    x = d.pick(("float32", "int64", "bool"), least=1)
    array = d.values[x]
    axis = d.axis(array.ndim)
    shape = list(array.shape)
    shape[axis] = d.draw(SIZES)
    pair = [x, d.new(d.array(array.dtype.name, shape))]
    return pair[:: d.draw(st.sampled_from([1, -1]))], {"axis": axis}


@node("Split")
def _split(d):
    x = d.pick(("float32", "int64"), least=1)
    axis = d.axis(d.values[x].ndim)
    size = d.values[x].shape[axis]
    first = d.draw(st.integers(0, size))
    return [x, d.const(first, size - first)], {"axis": axis}, 2


@node("Slice")
def _slice(d):
    x = d.pick(("float32", "int64", "bool"), least=1)
    axes = d.axes(d.values[x].ndim)
    assume(axes)
    bounds = [[d.draw(st.integers(-5, 5)) for _ in axes] for _ in range(2)]
    steps = [d.draw(st.sampled_from([1, 2, -1, -2])) for _ in axes]
    return [x, *(d.const(*values) for values in (*bounds, axes, steps))], {}


@node("Pad")
def _pad(d):
    x = d.pick(("float32", "int32"), least=1)
    shape = d.values[x].shape
    mode = d.draw(st.sampled_from(["constant", "edge", "reflect", "wrap"]))
    assume(mode == "constant" or 0 not in shape)
    pads = [d.draw(st.integers(0, 2 if mode == "constant" else min(2, size - 1))) for size in (*shape, *shape)]
    return [x, d.const(*pads)], {"mode": mode}


@node("Gather")
def _gather(d):
    x = d.pick(("float32", "int64", "bool"), least=1, most=3)
    axis = d.axis(d.values[x].ndim)
    indices = _indices(d, d.values[x].shape[axis], d.draw(st.lists(SIZES, max_size=2)))
    return [x, indices], {"axis": axis}


def _indices(d, size, shape):
    """Add indices into a dimension, counted from the front or from the end."""
    assume(size)
    rng = np.random.default_rng(d.draw(st.integers(0, 99)))
    return d.new(rng.integers(-size, size, shape).astype(d.draw(st.sampled_from(["int64", "int32"]))))


@node("GatherElements")
def _gather_elements(d):
    x = d.pick(("float32", "int64"), least=1, most=3)
    array = d.values[x]
    axis = d.axis(array.ndim)
    shape = [d.draw(st.integers(0, size)) for size in array.shape]
    return [x, _indices(d, array.shape[axis], shape)], {"axis": axis}


@node("ScatterElements")
def _scatter_elements(d):
    x = d.pick(("float32", "int64"), least=1, most=3)
    array = d.values[x]
    axis = d.axis(array.ndim)
    shape = list(array.shape)
    shape[axis] = min(shape[axis], 2)
    indices = np.argsort(np.random.default_rng(len(d.values)).random(array.shape), axis).take(range(shape[axis]), axis)
    updates = d.new(d.array(array.dtype.name, shape))
    reduction = d.draw(st.sampled_from(["none", "add", "mul", "max", "min"]))
    return [x, d.new(indices.astype(np.int64)), updates], {"axis": axis, "reduction": reduction}


@node("GatherND")
def _gather_nd(d):
    x = d.pick(("float32", "int64"), least=1, most=3)
    shape = d.values[x].shape
    assume(0 not in shape)
    depth = d.draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(d.draw(st.integers(0, 99)))
    indices = d.new(rng.integers(0, shape[:depth], [*d.draw(st.lists(SIZES, max_size=2)), depth]))
    d.sized.add(indices)
    return [x, indices], {}


@node("TopK")
def _topk(d):
    x = d.pick(("float32",), least=1, exact=True)
    axis = d.axis(d.values[x].ndim)
    count = d.draw(st.integers(0, d.values[x].shape[axis]))
    return [x, d.const(count)], {"axis": axis, "largest": d.flag()}, 2


@node("OneHot")
def _one_hot(d):
    indices = d.pick(("int64", "int32"), most=2)
    pair = d.new(d.array("float32", [2]), constant=True)
    return [indices, d.new(np.array(6), constant=True), pair], {"axis": d.axis(d.values[indices].ndim + 1)}


@node("Trilu")
def _trilu(d):
    x = d.pick(("float32", "int64", "bool"), least=2)
    shift = d.new(np.array(d.draw(st.integers(-3, 3))), constant=True)
    return [x, *([shift] if d.flag() else [])], {"upper": d.flag()}


@node("ConstantOfShape")
def _constant_of_shape(d):
    return [d.const(*d.draw(st.lists(SIZES, max_size=3)))], {}


@node("Range")
def _range(d):
    numbers = [d.draw(st.integers(-4, 4)) for _ in range(2)]
    step = d.draw(st.sampled_from([1, 2, -1, -3]))
    dtype = d.draw(st.sampled_from(["int64", "int32", "float32"]))
    return [d.new(np.array(number, dtype), constant=True) for number in (*numbers, step)], {}


@node("NonZero")
def _nonzero(d):
    return [d.pick(("float32", "bool", "int64"), least=1, exact=True)], {}


@node("Compress")
def _compress(d):
    x = d.pick(("float32", "int64"), least=1)
    axis = d.axis(d.values[x].ndim)
    return [x, d.new(d.array("bool", [d.values[x].shape[axis]]))], {"axis": axis}


@node("DepthToSpace", "SpaceToDepth")
def _depth(d):
    shape = [d.draw(st.integers(1, 2)), 4, 2 * d.draw(st.integers(1, 2)), 4]
    return [d.new(d.array("float32", shape))], {"blocksize": 2}


@node("Einsum")
def _einsum(d):
    a = d.pick(("float32",), least=2, most=2)
    b = d.new(d.array("float32", [d.values[a].shape[1], 3]))
    return [a, b], {"equation": d.draw(st.sampled_from(["ij,jk->ik", "ij,jk->ki", "ij,jk->k", "ij,jk", "ij,jk->ijk"]))}
