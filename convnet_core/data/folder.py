"""Which files of a folder are a data set: MNIST's four files as one finds them in archives, or an archive of NumPy.

Known are the names of MNIST (`t10k-labels-idx1-ubyte`, `t10k-labels.idx1-ubyte`), EMNIST (`emnist-digits-test-…`) and
QMNIST (`qmnist-test-labels-idx2-int`), each as it is or with `.gz`; in the folder itself, in a folder of the file's own
name as Kaggle's archives have it, or below, as torchvision keeps them (`FashionMNIST/raw`).
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
"""What torchvision keeps under the same root as MNIST."""
DRAFT = "raw.new-"
"""How the name of a folder begins that is being downloaded."""
_PREFERRED = ("", "emnist-digits-")  # of several data sets in one folder; EMNIST's archive has letters, too
_DEEPEST = 3  # folders below the one that was named
_MOST_ENTRIES = 10_000  # looked at, so that somebody's whole disk is not
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
"""Of a file: ("train" or "test", "images" or "labels")."""
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
    """Files that belong together: one for each role, or one archive (.npz) with all."""

    place: Path
    prefix: str = ""
    """What the names have before MNIST's, in lower case."""
    files: dict[Role, Path] = field(default_factory=dict)
    archive: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.archive is not None or len(self.files) == len(ROLES)

    @property
    def paths(self) -> list[Path]:
        """All its files."""
        return [self.archive] if self.archive else list(self.files.values())

    def file(self, role: Role) -> Path:
        """The file of a role. Raises DataError where it is missing."""
        if role not in self.files:
            raise DataError(
                f"{self.place / (self.prefix + _NAMES[role])}: missing (raw or as .gz)",
                hint="a data set is four files: images and labels, to train and to test",
            )
        return self.files[role]

    def __str__(self) -> str:
        return str(self.archive or self.place / f"{self.prefix}…")


def find(path: Path, *, mnist: bool = False) -> DataSet | None:
    """The data set at a path: a folder, or an archive (.npz); None where there is nothing of it.

    Not complete where files are missing. With `mnist`, torchvision's other data sets are passed over. Raises DataError
    where there are several and where it cannot be looked into.
    """
    with _looking_into(path):
        if path.is_file():
            return DataSet(path.parent, archive=path) if path.suffix.lower() == ".npz" else None
        if not path.is_dir():
            return None
        here = [entry for entry in sorted(path.iterdir()) if entry.is_file()]
    found = _sets(here)
    if not any(item.complete for item in found):
        files = [*_walk(path, _OTHERS if mnist else ())]
        found = _sets(files)
        if not any(item.complete for item in found):
            archives = [DataSet(file.parent, archive=file) for file in files if file.suffix.lower() == ".npz"]
            found = archives or found
    return _one_of(path, found)


def describe(path: Path) -> str:
    """What is at a path that holds no data set, for a message."""
    with _looking_into(path):
        if path.is_file():
            return f"is {_KINDS.get(path.suffix.lower(), 'one file')}"
        if not path.is_dir():
            return "is not a folder"
        kinds = Counter(kind for file in _walk(path) if (kind := _KINDS.get(file.suffix.lower())))
    held = " and ".join(kind if count == 1 else f"{kind[2:]}s ({count:,})" for kind, count in kinds.most_common(2))
    return f"holds no data set that is known, but {held}" if held else "holds no data set"


@contextlib.contextmanager
def _looking_into(path: Path) -> Iterator[None]:
    """Raises DataError for a name that is too long, or a folder that we may not read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _walk(path: Path, left_out: tuple[str, ...] = ()) -> Iterator[Path]:
    """Files at a path and below, but for hidden folders, drafts and those left out; nearest first, then by name."""
    level, seen = [path], 0
    for _ in range(_DEEPEST + 1):
        below: list[Path] = []
        for folder in level:
            try:
                names = sorted(os.listdir(folder))
            except PermissionError:
                if folder == path:
                    raise
                continue  # not the folder that was named
            for name in names[: _MOST_ENTRIES - seen]:
                entry = folder / name
                seen += 1
                if entry.is_dir():
                    below += [entry] if not name.startswith((".", DRAFT)) and name not in left_out else []
                else:
                    yield entry
        level = below


def _sets(files: list[Path]) -> list[DataSet]:
    """The data sets among files, whole or in part."""
    found: dict[tuple[Path, str], dict[Role, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if match := _NAME.fullmatch(file.name):
            part = "train" if match["part"].lower() == "train" else "test"
            found[_place(file), match["set"].lower()][part, match["kind"].lower()].append(file)
    return [
        DataSet(place, prefix, {role: min(roles[role], key=_rank) for role in ROLES if role in roles})
        for (place, prefix), roles in found.items()
    ]


def _place(file: Path) -> Path:
    """The folder of a file; where that has the file's own name, the one above."""
    return file.parent.parent if _plain(file.parent) == _plain(file) else file.parent


def _plain(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").replace(".", "-")


def _rank(file: Path) -> tuple[bool, bool]:
    """Which of two files of one role is taken: what is unpacked, then what MNIST's own name has."""
    return file.suffix == ".gz", ".idx" in file.name


def _one_of(path: Path, found: list[DataSet]) -> DataSet | None:
    """The one that is meant: whole rather than in part, near rather than deep."""
    if not found:
        return None
    fullest = max(len(item.files) for item in found)
    fullest_sets = [item for item in found if item.complete] or [item for item in found if len(item.files) == fullest]
    nearest = min(len(item.place.parts) for item in fullest_sets)
    candidates = [item for item in fullest_sets if len(item.place.parts) == nearest]
    if len(candidates) > 1 and len({item.place for item in candidates}) == 1:
        preferred = [item for prefix in _PREFERRED for item in candidates if item.files and item.prefix == prefix]
        candidates = preferred[:1] or candidates
    if len(candidates) > 1:
        raise DataError(
            f"{path} holds several data sets: {', '.join(str(item) for item in candidates)}",
            hint="name the folder or the .npz of one of them",
        )
    return candidates[0]
