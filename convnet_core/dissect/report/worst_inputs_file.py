"""The worst inputs on disk: an .npz of arrays named runtime/input, one sample each.

Light: nothing here imports torch, TensorFlow or a runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convnet_core.common import archives
from convnet_core.dissect.report.content import STAGE, WORST
from convnet_core.errors import RunError, one_line
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import Array, Feeds

_KINDS = "fiub"
"""NumPy kinds that an .npz preserves: strings would be pickled, and bfloat16 comes back as bytes."""


def save(worst_inputs: Mapping[str, Feeds], folder: Path) -> None:
    """Write the numeric inputs of each runtime."""
    arrays = {
        f"{runtime}/{name}": array
        for runtime, feeds in worst_inputs.items()
        for name, array in feeds.items()
        if array.dtype.kind in _KINDS
    }
    np.savez_compressed(folder / WORST, **arrays)  # type: ignore[arg-type]  # numpy 2.4's stub


def load(run: Run, stage: str = STAGE) -> Feeds:
    """The arrays that `save` wrote, by `runtime/input`. Raises RunError if it is missing, damaged or too large."""
    path = run.file(f"{stage}/{WORST}")
    try:
        archives.check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for name, array in arrays.items():
            _check(name, array)
    except Exception as error:  # zipfile, zlib and NumPy each raise their own error types
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), run.command_for(stage)
        ) from error
    return arrays


def _check(name: str, array: Array) -> None:
    runtime, _, wanted = name.partition("/")
    if not runtime or not wanted:
        raise ValueError(f"{name!r} is not an input of a runtime")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS:
        raise TypeError(f"{name} is not an array of numbers")
    if array.shape[:1] != (1,):
        raise ValueError(f"{name} is not one sample: its shape is {array.shape}")
