"""Read digits with every runtime of a run."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.drawing import prepare_file
from convnet_core.errors import DataError, ModelError, RunError
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import Answer, RuntimePool
from convnet_core.runtimes.specs import PYTORCH


@dataclass(frozen=True)
class Reading:
    """What a runtime says of an image: the digit, and the probability of each of the ten."""

    label: int
    probabilities: tuple[float, ...]


@dataclass
class ReadImage:
    """An image file, and by runtime its reading, or in a text why there is none.

    `error` and `hint` say why the file itself cannot be read; `kept` is the test case that was made of it.
    """

    path: str
    runtimes: dict[str, Reading | str] = field(default_factory=dict)
    error: str = ""
    hint: str = ""
    kept: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: `image` and `runtimes`, or `error` and `hint`; `kept` where a test case was made."""
        if self.error:
            return {"image": self.path, "error": self.error, "hint": self.hint}
        runtimes = {
            name: {"fault": found} if isinstance(found, str) else dataclasses.asdict(found)
            for name, found in self.runtimes.items()
        }
        return {"image": self.path, "runtimes": runtimes, **({"kept": self.kept} if self.kept else {})}


def predict_files(run: Run, paths: list[Path]) -> list[ReadImage]:
    """Each image, in order, as every runtime reads it. Raises ModelError where no runtime answers."""
    answers, images = [], []
    for path in paths:
        answer = ReadImage(str(path))
        try:
            images.append(prepare_file(path))
        except DataError as error:
            answer.error, answer.hint = str(error), error.hint
        answers.append(answer)
    if not images:
        return answers
    with _reader(run) as reader:
        found = _read(reader, np.stack(images)[:, None])
        for place, answer in enumerate(answer for answer in answers if not answer.error):
            answer.runtimes = {
                name: _reading(found[name], place) if name in found else reader.failed[name] for name in reader.names
            }
    return answers


def feature_maps(run: Run, paths: list[Path]) -> NDArray[np.float32]:
    """What PyTorch's first layer makes of each image, [n, channels, height, width]. Raises DataError or RunError."""
    images = np.stack([prepare_file(path) for path in paths])[:, None]
    with _reader(run) as reader:
        reader.wait()
        maps = reader.features(images)
        if maps is None:
            reason = reader.failed.get(PYTORCH.name, f"the run {run.name} has no PyTorch network")
            raise RunError(reason, hint="its feature maps cannot be shown")
        return maps


@contextlib.contextmanager
def _reader(run: Run) -> Iterator[RuntimePool]:
    run.require("export")
    with contextlib.closing(RuntimePool(run)) as reader:
        yield reader


def _read(reader: RuntimePool, images: NDArray[np.float32]) -> dict[str, Answer]:
    """What every runtime says that can. Raises what keeps all of them from answering."""
    while True:
        reader.wait()
        if reader.fault:
            raise reader.fault
        found = reader.read(images)
        if reader.pending:  # the worker has died, and is opening the others again
            continue
        if not found:
            name, reason = next(iter(reader.failed.items()))
            raise ModelError(f"no runtime answers; {name}: {reason}")
        return found


def _reading(answer: Answer, place: int) -> Reading:
    row = answer.probabilities[place]
    return Reading(int(row.argmax()), tuple(row.tolist()))
