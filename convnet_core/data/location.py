"""Where the files of a data set are."""

from __future__ import annotations

import os
from pathlib import Path

from convnet_core.common.files import cache_folder
from convnet_core.config.stages import DataConfig


def absolute(data: DataConfig) -> DataConfig:
    """Folders as absolute paths, so that later stages find them from anywhere."""
    if data.source == "strokes":
        return data
    if data.source == "mnist":
        folder = data.folder or os.environ.get("CONVNET_DATA_DIR", "")
        return data.replace(folder=_absolute(folder) if folder else "")
    return data.replace(source=_absolute(data.source))


def _absolute(folder: str) -> str:
    """As it is where it names no place (`~nobody`, a link to itself, a zero byte): whoever reads it says so."""
    try:
        return str(Path(folder).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return folder


def mnist_folder(config: DataConfig) -> Path:
    """Where MNIST is or goes: the config's folder, else $CONVNET_DATA_DIR, else the cache."""
    return Path(config.folder or os.environ.get("CONVNET_DATA_DIR") or cache_folder() / "mnist")
