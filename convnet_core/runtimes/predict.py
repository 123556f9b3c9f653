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
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import Answer, RuntimePool
from convnet_core.runtimes.specs import PYTORCH


@dataclass(frozen=True)
class Reading:
    """A runtime's reading of an image: the digit, and the probabilities of all ten."""

    label: int
    probabilities: tuple[float, ...]


@dataclass
class ReadImage:
    """An image file, and by runtime its reading, or text that says why there is none.

    `error` and `hint` say why the file itself cannot be read; `kept` is the test case that it became. `doubt` says that
    it does not look like one digit; None if that was not asked, or without a PyTorch network.
    """

    path: str
    runtimes: dict[str, Reading | str] = field(default_factory=dict)
    doubt: bool | None = None
    error: str = ""
    hint: str = ""
    kept: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: `image`, `runtimes` and `doubt` if known, or `error` and `hint`; `kept` if a test case."""
        if self.error:
            return {"image": self.path, "error": self.error, "hint": self.hint}
        runtimes = {
            name: {"fault": reading} if isinstance(reading, str) else dataclasses.asdict(reading)
            for name, reading in self.runtimes.items()
        }
        doubt = {} if self.doubt is None else {"doubt": self.doubt}
        return {"image": self.path, "runtimes": runtimes, **doubt, **({"kept": self.kept} if self.kept else {})}


def predict_files(run: Run, paths: list[Path], *, doubt: bool = False) -> list[ReadImage]:
    """Each image, in order, as every runtime reads it. Raises ModelError if no runtime answers.

    `doubt` also tells whether it looks like one digit: half a minute more the first time for a network.
    """
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
    with _open_pool(run) as pool:
        outputs = _read(pool, np.stack(images)[:, None])
        scores = pool.doubt(np.stack(images)[:, None], learn=True) if doubt else None
        for place, answer in enumerate(answer for answer in answers if not answer.error):
            answer.doubt = None if scores is None else bool(scores[place] > 0)
            answer.runtimes = {
                name: _reading(outputs[name], place) if name in outputs else pool.failed[name] for name in pool.names
            }
    return answers


def feature_maps(run: Run, paths: list[Path]) -> NDArray[np.float32]:
    """The output of PyTorch's `layer1` for each image, [n, channels, height, width]. Raises DataError or RunError."""
    images = np.stack([prepare_file(path) for path in paths])[:, None]
    with _open_pool(run) as pool:
        pool.wait()
        maps = pool.features(images)
        if maps is None:
            reason = pool.failed.get(PYTORCH.name, _("the run {run} has no PyTorch network", run=run.name))
            raise RunError(reason, hint=_("its feature maps cannot be shown"))
        return maps


@contextlib.contextmanager
def _open_pool(run: Run) -> Iterator[RuntimePool]:
    run.require("export")
    with contextlib.closing(RuntimePool(run)) as pool:
        yield pool


def _read(pool: RuntimePool, images: NDArray[np.float32]) -> dict[str, Answer]:
    """The answers of all runtimes that work. Raises an error if none does."""
    while True:
        pool.wait()
        if pool.fault:
            raise pool.fault
        answers = pool.read(images)
        if pool.pending:  # the worker crashed and is reopening the other runtimes
            continue
        if not answers:
            name, reason = next(iter(pool.failed.items()))
            raise ModelError(_("no runtime answers; {name}: {reason}", name=name, reason=reason))
        return answers


def _reading(answer: Answer, place: int) -> Reading:
    row = answer.probabilities[place]
    return Reading(int(row.argmax()), tuple(row.tolist()))
