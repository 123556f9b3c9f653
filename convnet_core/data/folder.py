"""Find a data set in a folder: MNIST's four files, or a NumPy archive.

Recognizes the file names of MNIST (`t10k-labels-idx1-ubyte`, `t10k-labels.idx1-ubyte`), EMNIST
(`emnist-digits-test-…`) and QMNIST (`qmnist-test-labels-idx2-int`), with or without `.gz`. The files may be in the
folder itself, in a folder of the file's name (as in Kaggle's archives), or in a subfolder (as torchvision's
`FashionMNIST/raw`).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convnet_core.common.formatting import join_words, list_words
from convnet_core.errors import DataError
from convnet_core.language import _, plural

_NAME = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)[-_.]?(?P<kind>images|labels)[-_.]idx\d[-_.](ubyte|byte|int|float)(\.gz)?",
    re.IGNORECASE,
)
_OTHERS = ("FashionMNIST", "KMNIST", "EMNIST", "QMNIST")
"""torchvision's folders for other data sets, next to MNIST's."""
DRAFT = "raw.new-"
"""Prefix of the folder of an unfinished download."""
_PREFERRED = ("", "emnist-digits-")  # if one folder has several data sets; EMNIST's archive also has letters
_MAX_DEPTH = 3  # levels of subfolders
_MAX_ENTRIES = 10_000  # files and folders to look at, so that a path such as / does not take forever
_KINDS = {
    ".csv": "csv",
    ".png": "picture",
    ".jpg": "picture",
    ".jpeg": "picture",
    ".parquet": "parquet",
    ".mat": "matlab",
    ".pt": "torch",
    ".npy": "npy",
    ".zip": "zip",
    ".gz": "gzip",
    ".tar": "tar",
}
"""The kind of a file without digits, by the end of its name."""
_COUNTS: dict[str, Callable[[int], str]] = {
    "csv": lambda count: plural("a CSV file", "CSV files ({count})", count),
    "picture": lambda count: plural("one picture", "pictures ({count})", count),
    "parquet": lambda count: plural("a Parquet table", "Parquet tables ({count})", count),
    "matlab": lambda count: plural("a MATLAB file", "MATLAB files ({count})", count),
    "torch": lambda count: plural("a PyTorch file", "PyTorch files ({count})", count),
    "npy": lambda count: plural("a NumPy array", "NumPy arrays ({count})", count),
    "zip": lambda count: plural("one zip archive", "zip archives ({count})", count),
    "gzip": lambda count: plural("a gzip file", "gzip files ({count})", count),
    "tar": lambda count: plural("one tar archive", "tar archives ({count})", count),
    "": lambda count: plural("one file", "{count} files", count),
}
"""How many files of a kind there are, in words."""

Role = tuple[str, str]
"""The role of a file: ("train" or "test", "images" or "labels")."""
ROLES: tuple[Role, ...] = (("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels"))
_NAMES = dict(
    zip(
        ROLES,
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        strict=True,
    )
)


@dataclass(frozen=True)
class DataSet:
    """The files of a data set: one per role, or a single archive (.npz)."""

    folder: Path
    prefix: str = ""
    """The part of the file names before MNIST's name, in lower case."""
    files: dict[Role, Path] = field(default_factory=dict)
    archive: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether no file is missing."""
        return self.archive is not None or len(self.files) == len(ROLES)

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [self.archive] if self.archive else list(self.files.values())

    def file(self, role: Role) -> Path:
        """The file of a role. Raises DataError if it is missing."""
        if role not in self.files:
            raise DataError(
                _("{path}: missing (raw or as .gz)", path=self.folder / (self.prefix + _NAMES[role])),
                hint=_("a data set has four files: images and labels for training and for testing"),
            )
        return self.files[role]

    def __str__(self) -> str:
        return str(self.archive or self.folder / f"{self.prefix}…")


def find(path: Path, *, mnist: bool = False) -> DataSet | None:
    """The data set at a path, a folder or an archive (.npz); None if there is none.

    It may be incomplete. With `mnist`, ignores torchvision's other data sets. Raises DataError if there are several
    data sets, or the path cannot be read.
    """
    with _os_errors_as_data_error(path):
        if path.is_file():
            return DataSet(path.parent, archive=path) if path.suffix.lower() == ".npz" else None
        if not path.is_dir():
            return None
        files = [entry for entry in sorted(path.iterdir()) if entry.is_file()]
    data_sets = _group(files)
    if not any(item.complete for item in data_sets):
        files = [*_walk(path, _OTHERS if mnist else ())]
        data_sets = _group(files)
        if not any(item.complete for item in data_sets):
            archives = [DataSet(file.parent, archive=file) for file in files if file.suffix.lower() == ".npz"]
            data_sets = archives or data_sets
    return _choose(path, data_sets)


def describe(path: Path) -> str:
    """What is wrong with a path without a data set, in a sentence."""
    with _os_errors_as_data_error(path):
        if path.is_file():
            return _("{path} is {what}", path=path, what=_COUNTS[_KINDS.get(path.suffix.lower(), "")](1))
        if not path.is_dir():
            return _("{path} is not a folder", path=path)
        kinds = Counter(kind for file in _walk(path) if (kind := _KINDS.get(file.suffix.lower())))
    if not kinds:
        return _("{path} has no data set", path=path)
    content = join_words([_COUNTS[kind](count) for kind, count in kinds.most_common(2)])
    return _("{path} has no known data set, but {content}", path=path, content=content)


@contextlib.contextmanager
def _os_errors_as_data_error(path: Path) -> Iterator[None]:
    """Turn an OSError, such as for a name that is too long or a missing permission, into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(_("{path} cannot be read: {reason}", path=path, reason=error.strerror or error)) from error


def _walk(path: Path, excluded: tuple[str, ...] = ()) -> Iterator[Path]:
    """All files in a folder and below, except in hidden, draft and excluded folders; sorted by depth, then name."""
    level, seen = [path], 0
    for _level in range(_MAX_DEPTH + 1):
        below: list[Path] = []
        for folder in level:
            try:
                names = sorted(os.listdir(folder))
            except PermissionError:
                if folder == path:
                    raise
                continue  # skip an unreadable subfolder
            for name in names[: _MAX_ENTRIES - seen]:
                entry = folder / name
                seen += 1
                if entry.is_dir():
                    below += [entry] if not name.startswith((".", DRAFT)) and name not in excluded else []
                else:
                    yield entry
        level = below


def _group(files: list[Path]) -> list[DataSet]:
    """Group files into data sets, which may be incomplete."""
    groups: dict[tuple[Path, str], dict[Role, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if match := _NAME.fullmatch(file.name):
            part = "train" if match["part"].lower() == "train" else "test"
            groups[_folder_of(file), match["set"].lower()][part, match["kind"].lower()].append(file)
    return [
        DataSet(folder, prefix, {role: min(roles[role], key=_preference) for role in ROLES if role in roles})
        for (folder, prefix), roles in groups.items()
    ]


def _folder_of(file: Path) -> Path:
    """The folder of a file, or its parent if the folder has the file's name."""
    return file.parent.parent if _base_name(file.parent) == _base_name(file) else file.parent


def _base_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").replace(".", "-")


def _preference(file: Path) -> tuple[bool, bool]:
    """Sort key for files of one role: prefer an unpacked file, then MNIST's original name."""
    return file.suffix == ".gz", ".idx" in file.name


def _choose(path: Path, data_sets: list[DataSet]) -> DataSet | None:
    """Choose a data set: prefer complete ones, then those in the fewest subfolders. Raises DataError for a tie."""
    if not data_sets:
        return None
    most_files = max(len(item.files) for item in data_sets)
    fullest = [item for item in data_sets if item.complete]
    fullest = fullest or [item for item in data_sets if len(item.files) == most_files]
    depth = min(len(item.folder.parts) for item in fullest)
    candidates = [item for item in fullest if len(item.folder.parts) == depth]
    if len(candidates) > 1 and len({item.folder for item in candidates}) == 1:
        preferred = [item for prefix in _PREFERRED for item in candidates if item.files and item.prefix == prefix]
        candidates = preferred[:1] or candidates
    if len(candidates) > 1:
        raise DataError(
            _("{path} has several data sets: {names}", path=path, names=list_words(map(str, candidates))),
            hint=_("choose the folder or the .npz of one of them"),
        )
    return candidates[0]
