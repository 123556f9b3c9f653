"""Turn weights from checkpoints and wrappers into the `state_dict` of one of this project's networks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from convnet_core.common.formatting import join_parts
from convnet_core.language import _, plural
from convnet_core.networks.convnet import FIRST_WEIGHT, config_of, empty_state_dict, is_plain

_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Name parts that DataParallel, torch.compile, FSDP and checkpoint_wrapper add."""

_AVERAGES = re.compile(r"ema|swa|averag|teacher|shadow", re.IGNORECASE)
"""Names for a second copy of the weights, averaged over the training steps."""

_COUNT = "num_batches_tracked"


def recognize(weights: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """Find a network's `state_dict` in weights of any origin. Returns it with a sentence for each change.

    Names may have any prefix (`state_dict.model.`) and contain wrappers' names; floats of any width become float32;
    `num_batches_tracked`, which only training uses, may be missing. Any other mismatch stays, for `from_weights` to
    report. Raises ModelError if the weights contain no such network.
    """
    prefix, others = _prefix(weights)
    named = {
        _strip_wrappers(name.removeprefix(prefix)): value
        for name, value in weights.items()
        if name.startswith(prefix) and not name.startswith(tuple(item for item in others if len(item) > len(prefix)))
    }
    notes = []
    if prefix:
        origin = _("the weights come from {prefix!r} in {source}", prefix=prefix.removesuffix("."), source=source)
        refused = [_("not from {prefix!r}", prefix=other.removesuffix(".")) for other in others]
        notes.append(join_parts([origin, *refused]))
    expected = empty_state_dict(config_of(named, source))
    notes += _cast(named, expected)
    counts = [name for name in expected if name.endswith(_COUNT) and name not in named]
    if counts:
        named.update({name: torch.zeros((), dtype=torch.int64) for name in counts})
        notes.append(_("{name}, which only training uses, was missing and is set to 0", name=_COUNT))
    return named, notes


def _cast(named: dict[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Cast, in place, floats of the right shape to float32 and counts to int64. Returns a sentence per source dtype."""
    before = Counter[torch.dtype]()
    for name, target in expected.items():
        value = named.get(name)
        if value is None or value.shape != target.shape or value.dtype == target.dtype or not is_plain(value):
            continue
        if name.endswith(_COUNT):
            named[name] = value.to(torch.int64)
        elif value.dtype.is_floating_point:
            named[name] = value.to(torch.float32)
            before[value.dtype] += 1
    return [
        plural(
            "{count} tensor was cast from {dtype} to float32",
            "{count} tensors were cast from {dtype} to float32",
            count,
            dtype=str(dtype)[6:],
        )
        for dtype, count in before.items()
    ]


def _prefix(weights: Mapping[str, Tensor]) -> tuple[str, list[str]]:
    """The prefix of the network's names (may be empty), and the prefixes of other copies of the network."""
    prefixes = set[str]()
    for name in weights:
        parts = name.split(".")
        start = len(parts) - 1 - parts[::-1].index("layer1") if "layer1" in parts else len(parts)
        if _strip_wrappers(".".join(parts[start:])) == FIRST_WEIGHT:
            prefixes.add("".join(f"{part}." for part in parts[:start]))
    if not prefixes:
        return "", []
    first, *others = sorted(prefixes, key=lambda prefix: (bool(_AVERAGES.search(prefix)), len(prefix), prefix))
    return first, others


def _strip_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
