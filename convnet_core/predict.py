"""Read digits with every runtime of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.drawing import prepare, read_image
from convnet_core.errors import DataError, RunError
from convnet_core.model import INPUT, OUTPUT
from convnet_core.reader import softmax
from convnet_core.runs import Run
from convnet_core.runtimes import Runtime, sources
from convnet_core.runtimes.pytorch import PyTorch


def predict_files(run: Run, paths: list[Path]) -> list[dict[str, Any]]:
    """For each image, in order: `image`, and for each runtime the `label` and ten `probabilities`.

    Raises DataError for the first image that cannot be read, before any runtime is loaded.
    """
    images = np.stack([_prepared(path) for path in paths])[:, None]
    run.need("export")
    answers: list[dict[str, Any]] = [{"image": str(path), "runtimes": {}} for path in paths]
    for source in sources(run):
        with source.open() as runtime:
            probabilities = predict(runtime, images)
        for answer, row in zip(answers, probabilities, strict=True):
            answer["runtimes"][source.name] = {"label": int(row.argmax()), "probabilities": row.tolist()}
    return answers


def feature_maps(run: Run, paths: list[Path]) -> NDArray[np.float32]:
    """What PyTorch's first layer makes of each image, [n, channels, height, width]. Raises DataError or RunError."""
    images = np.stack([_prepared(path) for path in paths])[:, None]
    run.need("export")
    for source in sources(run):
        if source.name == "pytorch":
            with source.open() as runtime:
                assert isinstance(runtime, PyTorch)
                return runtime.features({INPUT: images})
    raise RunError(f"the run {run.name} has no PyTorch network", hint="its feature maps cannot be shown")


def predict(runtime: Runtime, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities [n, 10] of prepared images [n, 1, 28, 28]."""
    return softmax(runtime.infer({INPUT: images})[OUTPUT])


def _prepared(path: Path) -> NDArray[np.float32]:
    try:
        return prepare(read_image(path))
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}", error.hint) from error
