"""Does a call of a module fit the pattern of its class? The pattern is the longest call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from convnet_core.convert.keras_source.modules import Block
from convnet_core.convert.keras_source.syntax import (
    Call,
    Expression,
    LayerName,
    Literal,
    Operation,
    Ref,
    Statement,
    children,
    refs,
)


@dataclass
class Instance:
    """One call of a module, without calls inside, as statements; what it takes and what others use of it."""

    block: Block
    statements: list[Statement]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    places: list[int | None]
    """Of each place of the pattern, the statement of this call; None if it is missing."""

    def at(self, place: int) -> Statement | None:
        index = self.places[place]
        return None if index is None else self.statements[index]


def shape(item: Expression) -> object:
    """What two expressions must have in common: all but numbers, names and values."""
    match item:
        case Ref() | Literal():
            return type(item).__name__
        case LayerName(parts, _):
            return ("LayerName", len(parts))
        case Call(function, _, keywords):
            head = shape(function) if isinstance(function, Call) else function
            return (head, tuple(name for name, _ in keywords), tuple(map(shape, children(item))))
        case Operation(operator, _, _):
            return (operator, tuple(map(shape, children(item))))
    return (type(item).__name__, tuple(map(shape, children(item))))


@dataclass
class Pattern:
    """The calls that one function can stand for: they have the statements of the longest call, or some of them.

    `stand_ins` has, for a value that a call lacks, the one that the call uses in its place.
    """

    longest: Instance
    group: list[Instance] = field(default_factory=list)
    stand_ins: dict[str, str] = field(default_factory=dict)

    def take(self, instance: Instance) -> bool:
        """Add a call to the group, if it fits."""
        if len(instance.inputs) != len(self.longest.inputs) or len(instance.outputs) != len(self.longest.outputs):
            return False
        places = _align(self.longest.statements, instance.statements)
        found = dict(self.stand_ins)
        if places is None or not _uses_same_values(self.longest, replace(instance, places=places), found):
            return False
        instance.places, self.stand_ins = places, found
        self.group.append(instance)
        return True


def _align(pattern: Sequence[Statement], statements: Sequence[Statement]) -> list[int | None] | None:
    """For each statement of the pattern, the index of the equal one, with as few gaps as possible."""
    keys = [shape(item.value) for item in pattern]
    other = [shape(item.value) for item in statements]
    best: dict[tuple[int, int], tuple[float, list[int | None]]] = {(0, 0): (0.0, [])}
    for i, j in itertools.product(range(len(keys) + 1), range(len(other) + 1)):
        if (i, j) == (0, 0):
            continue
        options = []
        if i and (skipped := best.get((i - 1, j))):
            gap = 0.0 if skipped[1] and skipped[1][-1] is None else 1.0
            options.append((skipped[0] + gap, [*skipped[1], None]))
        if i and j and keys[i - 1] == other[j - 1] and (matched := best.get((i - 1, j - 1))):
            options.append((matched[0], [*matched[1], j - 1]))
        if options:
            best[i, j] = min(options, key=lambda option: option[0])
    found = best.get((len(keys), len(other)))
    return found[1] if found else None


def _uses_same_values(longest: Instance, instance: Instance, found: dict[str, str]) -> bool:
    """Whether a call uses the values of the longest one everywhere; adds to `found` what stands for those it lacks."""
    same = dict(zip(instance.inputs, longest.inputs, strict=True))
    lacking = {
        target
        for place, statement in enumerate(longest.statements)
        if instance.at(place) is None
        for target in statement.targets
    }

    def is_same(ours: str, theirs: str) -> bool:
        theirs = same.get(theirs, theirs)
        return ours == theirs or (ours in lacking and found.setdefault(ours, theirs) == theirs)

    for place, statement in enumerate(longest.statements):
        own = instance.at(place)
        if own is None:
            continue
        if not all(itertools.starmap(is_same, zip(refs(statement.value), refs(own.value), strict=True))):
            return False
        same.update(zip(own.targets, statement.targets, strict=True))
    return all(itertools.starmap(is_same, zip(longest.outputs, instance.outputs, strict=True)))
