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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convnet_core.errors import DataError

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
    ".csv": "a CSV file",
    ".png": "a picture",
    ".jpg": "a picture",
    ".jpeg": "a picture",
    ".parquet": "a Parquet table",
    ".mat": "a MATLAB file",
    ".pt": "a PyTorch file",
    ".npy": "a NumPy array",
    ".zip": "a zip archive",
    ".gz": "a gzip file",
    ".tar": "a tar archive",
}

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
                f"{self.folder / (self.prefix + _NAMES[role])}: missing (raw or as .gz)",
                hint="a data set has four files: images and labels for training and for testing",
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
    """Describe a path without a data set, for an error message."""
    with _os_errors_as_data_error(path):
        if path.is_file():
            return f"is {_KINDS.get(path.suffix.lower(), 'one file')}"
        if not path.is_dir():
            return "is not a folder"
        kinds = Counter(kind for file in _walk(path) if (kind := _KINDS.get(file.suffix.lower())))
    content = " and ".join(kind if count == 1 else f"{kind[2:]}s ({count:,})" for kind, count in kinds.most_common(2))
    return f"has no known data set, but {content}" if content else "has no data set"


@contextlib.contextmanager
def _os_errors_as_data_error(path: Path) -> Iterator[None]:
    """Turn an OSError, such as for a name that is too long or a missing permission, into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _walk(path: Path, excluded: tuple[str, ...] = ()) -> Iterator[Path]:
    """All files in a folder and below, except in hidden, draft and excluded folders; sorted by depth, then name."""
    level, seen = [path], 0
    for _ in range(_MAX_DEPTH + 1):
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
            f"{path} has several data sets: {', '.join(str(item) for item in candidates)}",
            hint="choose the folder or the .npz of one of them",
        )
    return candidates[0]
