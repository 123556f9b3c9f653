"""The table of data sources: what `--data` may name, where its files are, and how they are read.

To add a source, write a `DataSource` and put it into `SOURCES`.
"""

from __future__ import annotations

import abc
import os
from pathlib import Path
from typing import Literal

from convnet_core.common.files import cache_folder
from convnet_core.config.stages import DataConfig
from convnet_core.data import folder, mnist, strokes_cache
from convnet_core.data.folder import DataSet
from convnet_core.data.split import Split
from convnet_core.events import Monitor

Read = tuple[Split, Split, list[str]]
"""Training set, test set, and a note for each thing in the files that was not as MNIST has it."""


class DataSource(abc.ABC):
    """Where digits come from.

    `name` is its name in `--data`, `title` and `about` say what it is; `setting` is the field of DataConfig that it
    alone has.
    """

    name: str
    title: str
    about: str
    setting: Literal["seed", "folder", "source"]

    @abc.abstractmethod
    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        """All digits; generated or downloaded where they must be, and then cached. Raises DataError."""

    def files(self, config: DataConfig) -> DataSet | None:
        """The files that are read; None where there are none. Raises DataError where they cannot be looked at."""
        return None

    def train_count(self, config: DataConfig) -> int | None:
        """How many training images there are, without reading them; None where that is not known."""
        return None

    def absolute(self, config: DataConfig) -> DataConfig:
        """The config with absolute paths."""
        return config

    def missing_in(self, config: DataConfig) -> Path | None:
        """The folder that `download` has yet to fill; None where nothing has to be downloaded. Raises DataError."""
        return None


class Strokes(DataSource):
    """Handwriting that is generated here."""

    name, title, about = "strokes", "Strokes", "Strokes are generated here and need no download"
    setting = "seed"

    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        train, test = strokes_cache.read_or_generate(config, monitor)
        return train, test, []


class Mnist(DataSource):
    """MNIST itself."""

    name, title, about = "mnist", "MNIST", "MNIST is read from a folder or downloaded (12 MB)"
    setting = "folder"

    def folder(self, config: DataConfig) -> Path:
        """Where MNIST is or goes: the config's folder, else $CONVNET_DATA_DIR, else the cache."""
        return Path(config.folder or os.environ.get("CONVNET_DATA_DIR") or cache_folder() / "mnist")

    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        return mnist.read_or_download(self.folder(config), monitor)

    def files(self, config: DataConfig) -> DataSet | None:
        return folder.find(self.folder(config), mnist=True)

    def absolute(self, config: DataConfig) -> DataConfig:
        named = config.folder or os.environ.get("CONVNET_DATA_DIR", "")
        return config.replace(folder=_absolute(named) if named else "")

    def missing_in(self, config: DataConfig) -> Path | None:
        return self.folder(config) if self.files(config) is None else None


class Folder(DataSource):
    """Files of one's own, as MNIST has them, or an .npz."""

    name, title, about = "folder", "Folder", "a folder holds files of your own"
    setting = "source"

    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        return mnist.read_path(Path(config.source))

    def files(self, config: DataConfig) -> DataSet | None:
        return folder.find(Path(config.source))

    def train_count(self, config: DataConfig) -> int | None:
        return mnist.train_count(Path(config.source))

    def absolute(self, config: DataConfig) -> DataConfig:
        return config.replace(source=_absolute(config.source))


STROKES, MNIST, FOLDER = Strokes(), Mnist(), Folder()
SOURCES: dict[str, DataSource] = {source.name: source for source in (STROKES, MNIST, FOLDER)}
"""All sources, in the order in which people see them."""


def source_of(config: DataConfig) -> DataSource:
    """The source that a config names; what is no name of one is a path."""
    return {STROKES.name: STROKES, MNIST.name: MNIST}.get(config.source, FOLDER)


def absolute(config: DataConfig) -> DataConfig:
    """The config with absolute paths, so that later stages find the files from anywhere."""
    return source_of(config).absolute(config)


def _absolute(path: str) -> str:
    """As it is where it names no place (`~nobody`, a link to itself, a zero byte): whoever reads it says so."""
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return path
