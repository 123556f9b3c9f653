"""Shorten a list of statements without changing what it computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from convnet_core.convert.keras_source.modules import Placed
from convnet_core.convert.keras_source.syntax import Call, Expression, Literal, Ref, Statement, rebuild, refs

_Turn = tuple[str, tuple[int, ...]]
"""A tensor, and how its dimensions were permuted."""


def leave_out_aliases(placed: list[Placed], outputs: Collection[str]) -> list[Placed]:
    """Leave out `y = x`, transposes that undo each other, and what nothing needs then."""
    same: dict[str, str] = {}
    turned: dict[str, _Turn] = {}

    def change(item: Expression) -> Expression:
        return Ref(same.get(item.tensor, item.tensor)) if isinstance(item, Ref) else rebuild(item, change)

    result: list[Placed] = []
    for item in placed:
        value, target = change(item.statement.value), item.statement.targets[0]
        source = _source(value, turned)
        if isinstance(source, str) and target not in outputs:
            same[target] = source
            continue
        if isinstance(source, tuple):
            turned[target] = source
        result.append(replace(item, statement=replace(item.statement, value=value)))
    return _needed(result, outputs)


def _source(value: Expression, turned: Mapping[str, _Turn]) -> str | _Turn | None:
    """The tensor that a value repeats; or, of a transpose, its input and permutation."""
    match value:
        case Ref(tensor):
            return tensor
        case Call("ops.transpose", (Ref(tensor), Literal(order))):
            before, first = turned.get(tensor, ("", ()))
            undone = before and all(first[axis] == index for index, axis in enumerate(order))
            return before if undone else (tensor, order)
    return None


def _needed(placed: list[Placed], outputs: Collection[str]) -> list[Placed]:
    needed, kept = set(outputs), []
    for item in reversed(placed):
        if needed.intersection(item.statement.targets):
            needed.update(refs(item.statement.value))
            kept.append(item)
    return kept[::-1]


def fuse_activations(placed: list[Placed], outputs: Collection[str]) -> list[Placed]:
    """Make an activation an argument of the layer before it, if nothing else uses what that layer gives."""
    counts = Counter(name for item in placed for name in refs(item.statement.value)) + Counter(outputs)
    makers = {target: item for item in placed for target in item.statement.targets}
    fused: dict[str, Placed] = {}
    for item in placed:
        match item.statement.value:
            case Call(Call("layers.Activation", (Literal() as name,)), (Ref(tensor),)) if counts[tensor] == 1:
                maker = makers.get(tensor)
                value = _with_activation(maker.statement.value, name) if maker else None
                if maker and value:
                    fused[tensor] = replace(maker, statement=Statement(item.statement.targets, value))
    made = {target for item in fused.values() for target in item.statement.targets}
    return [
        fused.get(item.statement.targets[0], item) for item in placed if not made.intersection(item.statement.targets)
    ]


def _with_activation(value: Expression, name: Literal) -> Call | None:
    match value:
        case Call(Call(str() as kind, args, keywords), inputs) if ("activation", Literal(None)) in keywords:
            given = tuple((key, name if key == "activation" else item) for key, item in keywords)
            return Call(Call(kind, args, given), inputs)
    return None
