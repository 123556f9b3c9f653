"""The table of data sources: the values of `--data`, where their files are, and how to read them.

To add a source, write a `DataSource` and add it to `SOURCES`.
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
from convnet_core.language import N_

Read = tuple[Split, Split, list[str]]
"""Training set, test set, and a note for each difference from MNIST's format."""


class DataSource(abc.ABC):
    """A source of digits.

    `name` is its name in `--data`; `title` and `about` describe it in English, for the app to translate; `setting` is
    the field of DataConfig that the app asks for with it, or "". `download_size` is the size in words of a source that
    `download` can fetch.
    """

    name: str
    title: str
    about: str
    setting: Literal["seed", "folder", "source", ""] = ""
    download_size: str = ""

    @abc.abstractmethod
    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        """Read all digits. Generates or downloads them if needed, and caches them. Raises DataError."""

    def files(self, config: DataConfig) -> DataSet | None:
        """The files to read; None if there are none. Raises DataError if the folder cannot be read."""
        return None

    def train_count(self, config: DataConfig) -> int | None:
        """The number of training images, without reading them; None if unknown."""
        return None

    def absolute(self, config: DataConfig) -> DataConfig:
        """The config with absolute paths."""
        return config

    def missing_in(self, config: DataConfig) -> Path | None:
        """The folder to download to; None if no download is needed. Raises DataError."""
        return None

    def download(self, config: DataConfig, monitor: Monitor) -> None:
        """Download the files to the folder of `missing_in`. Raises DataError and Stopped."""
        raise NotImplementedError(f"{self.title} names a folder to download to, but has no download")


class Strokes(DataSource):
    """Synthetic handwriting."""

    name, title = "strokes", N_("Strokes")
    about = N_("Strokes are synthetic handwriting and need no download")
    setting = "seed"

    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        train, test = strokes_cache.read_or_generate(config, monitor)
        return train, test, []


class Mnist(DataSource):
    """MNIST itself."""

    name, title = "mnist", "MNIST"
    about = N_("MNIST is read from a folder or downloaded (12 MB)")
    setting, download_size = "folder", "12 MB"

    def folder(self, config: DataConfig) -> Path:
        """MNIST's folder: the config's, else $CONVNET_DATA_DIR, else one in the cache."""
        return Path(config.folder or os.environ.get("CONVNET_DATA_DIR") or cache_folder() / "mnist")

    def read(self, config: DataConfig, monitor: Monitor) -> Read:
        return mnist.read_or_download(self.folder(config), monitor)

    def files(self, config: DataConfig) -> DataSet | None:
        return folder.find(self.folder(config), mnist=True)

    def absolute(self, config: DataConfig) -> DataConfig:
        path = config.folder or os.environ.get("CONVNET_DATA_DIR", "")
        return config.replace(folder=_absolute(path) if path else "")

    def missing_in(self, config: DataConfig) -> Path | None:
        return self.folder(config) if self.files(config) is None else None

    def download(self, config: DataConfig, monitor: Monitor) -> None:
        mnist.download(self.folder(config), monitor)


class Folder(DataSource):
    """The user's own files in MNIST's format, or an .npz."""

    name, title = "folder", N_("Folder")
    about = N_("a folder has your own files")
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
"""All sources in display order."""


def source_of(config: DataConfig) -> DataSource:
    """The source of a config; a value that is not a source's name is a path."""
    return SOURCES.get(config.source, FOLDER)


def absolute(config: DataConfig) -> DataConfig:
    """The config with absolute paths, so later stages find the files from any working directory."""
    return source_of(config).absolute(config)


def _absolute(path: str) -> str:
    """The absolute path; an invalid one (`~nobody`, a circular link, a zero byte) is unchanged, and fails when read."""
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):
        return path
