"""How fast this machine trains, kept in the cache folder. Does not import torch.

One file for each device, precision and architecture: how many times as long as the formula of `estimate.py` a training
takes here.
"""

from __future__ import annotations

import dataclasses
import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import cache_folder, read_json, write_json
from convnet_core.config.stages import TrainConfig


@dataclass(frozen=True)
class Speed:
    """The content of a file: the machine, and the factor measured on it."""

    machine: str
    factor: float

    def __post_init__(self) -> None:
        if not 0 < self.factor < math.inf:
            raise ValueError(f"{self.factor} is not a positive number")


def known_factor(config: TrainConfig) -> float | None:
    """The factor of this machine; None if it was not measured here, or if its file is damaged."""
    try:
        speed = dataclass_from_json(Speed, read_json(_path(config)))
    except (OSError, ValueError, TypeError, OverflowError):
        return None  # it is a cache: measured again
    return speed.factor if speed.machine == _machine() else None


def record_factor(config: TrainConfig, factor: float) -> None:
    """Keep a factor for this machine. Raises OSError if the disk fails."""
    path = _path(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dataclasses.asdict(Speed(_machine(), factor)))


def speed_key(config: TrainConfig) -> str:
    """What a factor is measured for."""
    return f"{config.device}-{config.precision}-{config.model.architecture}"


def _path(config: TrainConfig) -> Path:
    return cache_folder() / "speed" / f"{speed_key(config)}.json"


def _machine() -> str:
    """Tells machines apart that share a cache folder."""
    return f"{platform.node()}, {os.cpu_count()} cores"
