"""How long a dissection takes, so that the user knows before it starts. Imports nothing heavy.

`size` is the number of multiply-adds of a network for one sample (`graphs/cost.py`).
"""

from __future__ import annotations

from convnet_core.config.stages import DissectConfig

SMALL = 200_000_000
"""The largest network for which the worst inputs are searched for by default: some 20 s of search."""

_RATE = 4e10
"""Multiply-adds a second of a runtime's answers: resnet18 on two x86-64 cores under load, November 2026."""
_RATE_INSIDE = 3e8
"""The same for every tensor in every runtime, in float64, and of each node alone."""
_START_SECONDS = 8.0
"""From the click, to load the libraries and to dissect a tiny network."""
_LESSON_SECONDS = 5.0
"""To export and to convert the copy with a fault."""
_RUNTIMES = 6
_NEIGHBORS = 32
"""Answers for each step of the search: 16 neighbors, in the reference and in the runtime."""


def decide(config: DissectConfig, size: int) -> DissectConfig:
    """The config with "yes" or "no" in place of "auto"; a lesson does without."""
    if config.worst != "auto":
        return config
    return config.replace(worst="yes" if size <= SMALL and config.lesson == "none" else "no")


def seconds(config: DissectConfig, size: int) -> float:
    """The time that a dissection takes, without the search for the worst inputs."""
    answers = _RUNTIMES * sum(config.batch_sizes)
    start = _START_SECONDS + (_LESSON_SECONDS if config.lesson != "none" else 0)
    return start + size * (answers / _RATE + config.samples / _RATE_INSIDE)


def search_seconds(config: DissectConfig, size: int) -> float:
    """The time that the search for the worst inputs adds."""
    return _RUNTIMES * config.steps * _NEIGHBORS * size / _RATE
