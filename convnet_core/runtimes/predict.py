"""Read digits with every runtime of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.drawing import prepare_file
from convnet_core.errors import DataError, ModelError, RunError
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import Answer, RuntimePool
from convnet_core.runtimes.specs import PYTORCH


def predict_files(run: Run, paths: list[Path]) -> list[dict[str, Any]]:
    """For each image, in order: `image`, and for each runtime the `label` and ten `probabilities`, or its `fault`.

    An image that cannot be read has `error` and `hint` in place of `runtimes`. Raises ModelError where no runtime
    answers.
    """
    answers: list[dict[str, Any]] = []
    images = []
    for path in paths:
        try:
            images.append(prepare_file(path))
            answers.append({"image": str(path), "runtimes": {}})
        except DataError as error:
            answers.append({"image": str(path), "error": str(error), "hint": error.hint})
    if not images:
        return answers
    with _reader(run) as reader:
        found = _read(reader, np.stack(images)[:, None])
        for place, answer in enumerate(answer for answer in answers if "runtimes" in answer):
            for name in reader.names:
                answer["runtimes"][name] = (
                    _line(found[name], place) if name in found else {"fault": reader.failed[name]}
                )
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


def _line(answer: Answer, place: int) -> dict[str, Any]:
    row = answer.probabilities[place]
    return {"label": int(row.argmax()), "probabilities": row.tolist()}
