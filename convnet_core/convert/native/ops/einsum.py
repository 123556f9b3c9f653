"""Einsum as transposes, sums and matrix products, which every runtime supports."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

from convnet_core.convert.native.helpers.tensors import rank_of, reshape_to, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.linear import product
from convnet_core.convert.native.registry import handles


class _Term(NamedTuple):
    """A tensor with a letter for each dimension."""

    tensor: Any
    letters: str


@handles("Einsum", 12, 28)
def einsum(*operands: Any, equation: str) -> Any:
    """Contract two operands at a time, from left to right."""
    letters, result = _parse(equation.replace(" ", ""), [rank_of(x) for x in operands])
    terms = [_diagonal(_Term(x, names)) for x, names in zip(operands, letters, strict=True)]
    first, *others = terms
    for index, term in enumerate(others):
        needed_letters = set(result).union(*(later.letters for later in others[index + 1 :]))
        left = _sum_out(first, needed_letters | set(term.letters))
        first = _multiply(left, _sum_out(term, needed_letters | set(first.letters)), needed_letters)
    first = _sum_out(first, set(result))
    return _reorder(tf.identity(first.tensor) if len(terms) == 1 else first.tensor, first.letters, result)


def _parse(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result. Ellipsis dimensions get letters from U+0100 on."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    counts = [rank - len(term.replace("...", "")) for rank, term in zip(ranks, terms, strict=True) if "..." in term]
    max_count = max(counts, default=0)
    free = "".join(chr(0x100 + index) for index in range(max_count))
    letters = [
        term.replace("...", free[max_count - (rank - len(term) + 3) :]) if "..." in term else term
        for rank, term in zip(ranks, terms, strict=True)
    ]
    if not arrow:
        all_letters = "".join(terms).replace(".", "")
        return letters, free + "".join(sorted(letter for letter in set(all_letters) if all_letters.count(letter) == 1))
    return letters, right.replace("...", free)


def _diagonal(term: _Term) -> _Term:
    """Take the diagonal for a letter that appears twice in one operand."""
    x, letters = term
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first, second = letters.index(letter), letters.rindex(letter)
            rest = [index for index in range(len(letters)) if index not in (first, second)]
            x = diagonal(tf.transpose(x, [*rest, first, second]))
            letters = "".join(letters[index] for index in rest) + letter
    return _Term(x, letters)


def diagonal(x: Any) -> Any:
    """The diagonals [..., n] of square matrices [..., n, n]. LiteRT 2.3 has no op for it."""
    size = size_of(x, -1)
    return reshape_to(x, [*shape_of(x, 0, -2), size * size])[..., :: size + 1]


def _sum_out(term: _Term, needed_letters: set[str]) -> _Term:
    """Sum over the dimensions that appear nowhere else."""
    unused = [index for index, letter in enumerate(term.letters) if letter not in needed_letters]
    if not unused:
        return term
    remaining = "".join(letter for letter in term.letters if letter in needed_letters)
    return _Term(tf.reduce_sum(term.tensor, unused), remaining)


def _multiply(a: _Term, b: _Term, needed_letters: set[str]) -> _Term:
    """Multiply, summing over the letters that only these two operands have."""
    shared = [letter for letter in a.letters if letter in b.letters]
    batch = "".join(letter for letter in shared if letter in needed_letters)
    inner = "".join(letter for letter in shared if letter not in needed_letters)
    left = "".join(letter for letter in a.letters if letter not in shared)
    right = "".join(letter for letter in b.letters if letter not in shared)
    if not inner:
        return _Term(_expand(a, batch + left + right) * _expand(b, batch + left + right), batch + left + right)
    x, flipped_x = _matrices(a, batch, left, inner)
    y, flipped_y = _matrices(b, batch, inner, right)
    z = product(x, y, flipped_x, flipped_y)
    if len(left) != 1 or len(right) != 1:
        z = reshape_to(z, [*shape_of(z)[: len(batch)], *_sizes(a, left), *_sizes(b, right)])
    return _Term(z, batch + left + right)


def _matrices(term: _Term, batch: str, rows: str, columns: str) -> tuple[Any, bool]:
    """Reshape to matrices; the flag tells that they are still transposed, which saves a transpose."""
    flipped = term.letters == batch + columns + rows != batch + rows + columns
    groups = (columns, rows) if flipped else (rows, columns)
    x = _reorder(term.tensor, term.letters, batch + "".join(groups))
    if all(len(group) == 1 for group in groups):
        return x, flipped
    sizes = [functools.reduce(operator.mul, _sizes(term, group), 1) for group in groups]
    return reshape_to(x, [*_sizes(term, batch), *sizes]), flipped


def _expand(term: _Term, letters: str) -> Any:
    """Add dimensions of size 1 for missing letters."""
    present = "".join(letter for letter in letters if letter in term.letters)
    x = _reorder(term.tensor, term.letters, present)
    for index, letter in enumerate(letters):
        x = x if letter in present else tf.expand_dims(x, index)
    return x


def _sizes(term: _Term, letters: str) -> list[Any]:
    sizes = shape_of(term.tensor)
    return [sizes[term.letters.index(letter)] for letter in letters]


def _reorder(x: Any, letters: str, needed_letters: Sequence[str]) -> Any:
    order = [letters.index(letter) for letter in needed_letters]
    return x if order == sorted(order) else tf.transpose(x, order)
