"""Weights as people keep them, made into the `state_dict` of one of the networks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from convnet_core.common.formatting import format_count
from convnet_core.networks.convnet import FIRST, config_of, is_plain, skeleton

_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What DataParallel, torch.compile, FSDP and checkpoint_wrapper add to the names of what they wrap."""

_AVERAGES = re.compile(r"ema|swa|averag|teacher|shadow", re.IGNORECASE)
"""Words for a second copy of the weights: a mean over the training's steps."""

_COUNT = "num_batches_tracked"


def recognize(weights: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """The `state_dict` of a network in weights as people keep them, and a sentence for each thing that was changed.

    Names may begin with anything (`state_dict.model.`) and have wrappers' names in them; floating point of any width
    becomes float32; `num_batches_tracked`, which only training uses, may be missing. What else does not fit stays as
    it is, for `from_weights` to refuse. Raises ModelError where there is no such network.
    """
    prefix, others = _prefix(weights)
    named = {
        _unwrapped(name.removeprefix(prefix)): value
        for name, value in weights.items()
        if name.startswith(prefix) and not name.startswith(tuple(item for item in others if len(item) > len(prefix)))
    }
    notes = []
    if prefix:
        rest = "".join(f", not those under {other.removesuffix('.')!r}" for other in others)
        notes.append(f"the weights are those under {prefix.removesuffix('.')!r} in {source}{rest}")
    expected = skeleton(config_of(named, source))
    notes += _cast(named, expected)
    counts = [name for name in expected if name.endswith(_COUNT) and name not in named]
    if counts:
        named.update({name: torch.zeros((), dtype=torch.int64) for name in counts})
        notes.append(f"{_COUNT}, which only training uses, is missing and was set to 0")
    return named, notes


def _cast(named: dict[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Make what fits but for its dtype float32, and the counts int64; a sentence for each dtype that was cast."""
    before = Counter[torch.dtype]()
    for name, wanted in expected.items():
        value = named.get(name)
        if value is None or value.shape != wanted.shape or value.dtype == wanted.dtype or not is_plain(value):
            continue
        if name.endswith(_COUNT):
            named[name] = value.to(torch.int64)
        elif value.dtype.is_floating_point:
            named[name] = value.to(torch.float32)
            before[value.dtype] += 1
    return [
        f"{format_count(count, 'tensor')} {'was' if count == 1 else 'were'} cast from {str(dtype)[6:]} to float32"
        for dtype, count in before.items()
    ]


def _prefix(weights: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """What the names of the network begin with, empty for nothing; and what those of other copies of it begin with."""
    found = set[str]()
    for name in weights:
        parts = name.split(".")
        place = len(parts) - 1 - parts[::-1].index("layer1") if "layer1" in parts else len(parts)
        if _unwrapped(".".join(parts[place:])) == FIRST:
            found.add("".join(f"{part}." for part in parts[:place]))
    if not found:
        return "", []
    first, *others = sorted(found, key=lambda prefix: (bool(_AVERAGES.search(prefix)), len(prefix), prefix))
    return first, others


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
