"""Read digits with every runtime of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.drawing import prepare, read_image
from convnet_core.errors import DataError, ModelError, RunError
from convnet_core.reader import Answer, Reader
from convnet_core.runs import Run


def predict_files(run: Run, paths: list[Path]) -> list[dict[str, Any]]:
    """For each image, in order: `image`, and for each runtime the `label` and ten `probabilities`, or its `fault`.

    Raises DataError for the first image that cannot be read, before any runtime is loaded; ModelError where no runtime
    answers.
    """
    images = _images(paths)
    answers: list[dict[str, Any]] = [{"image": str(path), "runtimes": {}} for path in paths]
    with _reader(run) as reader:
        found = _read(reader, images)
        for name in reader.names:
            for place, answer in enumerate(answers):
                answer["runtimes"][name] = (
                    _line(found[name], place) if name in found else {"fault": reader.failed[name]}
                )
    return answers


def feature_maps(run: Run, paths: list[Path]) -> NDArray[np.float32]:
    """What PyTorch's first layer makes of each image, [n, channels, height, width]. Raises DataError or RunError."""
    images = _images(paths)
    with _reader(run) as reader:
        reader.wait()
        maps = reader.features(images)
        if maps is None:
            reason = reader.failed.get("pytorch", f"the run {run.name} has no PyTorch network")
            raise RunError(reason, hint="its feature maps cannot be shown")
        return maps


@contextlib.contextmanager
def _reader(run: Run) -> Iterator[Reader]:
    run.need("export")
    with contextlib.closing(Reader(run)) as reader:
        yield reader


def _read(reader: Reader, images: NDArray[np.float32]) -> dict[str, Answer]:
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


def _images(paths: list[Path]) -> NDArray[np.float32]:
    return np.stack([_prepared(path) for path in paths])[:, None]


def _prepared(path: Path) -> NDArray[np.float32]:
    try:
        return prepare(read_image(path))
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}", error.hint) from error
