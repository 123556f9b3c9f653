"""Do two runtimes give the same answers? NumPy alone.

`measure` is the slow half: it runs everything and keeps, for each sample, its largest error.
`judging.judge` is the quick half: it applies the tolerances, and can be asked again with others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convnet_core.errors import Stopped, one_line
from convnet_core.tensors import Feeds, batch_of, flat_samples, sample_count

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

TEST = "test set"


class Runs(Protocol):
    """What is asked of a runtime here."""

    name: str
    converter: str | None

    def infer(self, feeds: Feeds) -> Feeds: ...
    def close(self) -> None: ...


class Opens(Protocol):
    """A runtime that is not loaded yet."""

    @property
    def name(self) -> str: ...
    @property
    def converter(self) -> str | None: ...
    @property
    def open(self) -> Callable[[], Runs]: ...


@dataclass(frozen=True)
class InputSet:
    """Samples [n, ...] for each input of the model; `labels` int64 [n] where the answers are known.

    `batched` names the inputs that have a batch dimension, None for all; the others are fed whole. `by_batch` says that
    an output is one of a whole batch (a mean, a count): runtimes can be compared at the same batch size alone.
    """

    name: str
    feeds: Feeds
    labels: Labels | None = None
    batched: frozenset[str] | None = None
    by_batch: bool = False

    @property
    def count(self) -> int:
        """The number of samples."""
        return sample_count(self.feeds, self.batched)


@dataclass(frozen=True)
class Key:
    """What one measurement is about."""

    runtime: str
    converter: str | None
    inputs: str
    batch: int
    output: str


@dataclass(frozen=True)
class Measured:
    """One output of one runtime on one input set at one batch size, against the reference.

    `max_abs` and `scale` are float64 [n]: each sample's largest |error|, and largest |output| of the
    reference. `answers`, `expected` and `truth` are labels int64 [n], where the input set has labels.
    `fault` says why there is nothing to measure.
    """

    key: Key
    max_abs: Floats
    mean_abs: float
    scale: Floats
    answers: Labels | None = None
    expected: Labels | None = None
    truth: Labels | None = None
    fault: str = ""

    @property
    def max_rel(self) -> float:
        """The largest |error| over the largest |output| of the same sample."""
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(self.max_abs == 0, 0.0, self.max_abs / self.scale)
        return float(relative.max(initial=0.0))

    @property
    def agreement(self) -> float | None:
        """The share of samples with the reference's label."""
        return None if self.answers is None else float((self.answers == self.expected).mean())

    @property
    def accuracy(self) -> float | None:
        """The share of samples with the right label."""
        return None if self.answers is None else float((self.answers == self.truth).mean())

    @property
    def reference_accuracy(self) -> float:
        """The same for the reference."""
        assert self.expected is not None
        return float((self.expected == self.truth).mean())


def measure(
    reference: Runs,
    sources: Sequence[Opens],
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    progress: Callable[[str, int, int], None] | None = None,
    at_once: int = 1,
) -> list[Measured]:
    """Run every runtime on every input set at every batch size; `at_once` runtimes go side by side.

    The reference's answers are taken once, at the largest batch size, so that the reference itself is measured too:
    across batch sizes (of an input set `by_batch`, at each). Whatever a runtime raises is its result, and the others
    go on.
    `progress` hears (label, done, total) in samples.
    """
    expected = {
        (item.name, batch): answers
        for item in inputs
        for batches in ([[batch] for batch in batch_sizes] if item.by_batch else [list(batch_sizes)])
        for answers in [_run(reference, item, max(batches))]
        for batch in batches
    }
    count = _Count(len(sources) * len(batch_sizes) * sum(item.count for item in inputs), progress)

    def of(source: Opens) -> list[Measured]:
        try:
            runtime = source.open()
        except Exception as error:
            runtime = _Broken(source.name, source.converter, error)
        found = []
        for item in inputs:
            for batch in batch_sizes:
                tell = count.part(source.name)
                found += _measure(runtime, item, batch, expected[item.name, batch], tell)
                tell(item.count)  # where it failed, too
        runtime.close()
        return found

    with ThreadPoolExecutor(at_once) as pool:
        try:
            return [line for lines in pool.map(of, sources) for line in lines]
        except BaseException:  # a stop reaches this thread alone
            count.stop()
            raise


class _Count:
    """Adds up the samples that runtimes have done, and tells it one at a time."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None] | None) -> None:
        self._total, self._progress, self._done, self._lock = total, progress, 0, threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Whoever tells something from now on is stopped."""
        self._stopped = True

    def part(self, name: str) -> Callable[[int], None]:
        """For one runtime, input set and batch size: hears how many of its samples are done."""
        last = 0

        def tell(samples: int) -> None:
            nonlocal last
            if self._stopped:
                raise Stopped
            with self._lock:
                self._done += samples - last
                last = samples
                if self._progress:
                    self._progress(name, self._done, self._total)

        return tell


@dataclass
class _Broken:
    """Stands for a runtime that could not be opened: its every answer is the reason."""

    name: str
    converter: str | None
    error: Exception

    def infer(self, feeds: Feeds) -> Feeds:
        raise self.error

    def close(self) -> None:
        pass


def _run(runtime: Runs, item: InputSet, batch: int, tell: Callable[[int], None] | None = None) -> Feeds:
    """All outputs for all samples, run `batch` at a time."""
    count = item.count
    parts: list[Feeds] = []
    for start in range(0, max(count, 1), batch):  # no samples at all are one call, too
        parts.append(runtime.infer(batch_of(item.feeds, start, start + batch, item.batched)))
        if tell:
            tell(min(start + batch, count))
    return {name: _joined([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]}


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """One output of all calls; flat where its shape depends on the values."""
    same = len({part.shape[1:] for part in parts}) == 1
    return np.concatenate(parts if same else [part.ravel() for part in parts])


def _measure(runtime: Runs, item: InputSet, batch: int, expected: Feeds, tell: Callable[[int], None]) -> list[Measured]:
    keys = {name: Key(runtime.name, runtime.converter, item.name, batch, name) for name in expected}
    try:
        got = _run(runtime, item, batch, tell)
    except Stopped:
        raise
    except Exception as error:
        reason = f"failed: {one_line(error)}"
        return [_faulty(key, reason) for key in keys.values()]
    common = [name for name in expected if name in got]
    if not common:
        reason = f"no common output: it gives {', '.join(got) or 'nothing'}"
        return [_faulty(key, reason) for key in keys.values()]
    return [
        difference(key, got[name], expected[name], item.labels) if name in got else _faulty(key, "output missing")
        for name, key in keys.items()
    ]


def difference(key: Key, got: NDArray[Any], expected: NDArray[Any], labels: Labels | None = None) -> Measured:
    """Measure one output [n, ...] against the reference's."""
    if got.shape != expected.shape:
        return _faulty(key, f"wrong shape: {list(got.shape)} instead of {list(expected.shape)}")
    if expected.dtype.kind in "biuOSU":
        return _equality(key, got, expected)
    a, b = flat_samples(got), flat_samples(expected)
    error = np.abs(a - b)
    mean = float(error.mean()) if error.size else 0.0
    measured = Measured(key, error.max(axis=1, initial=0.0), mean, np.abs(b).max(axis=1, initial=0.0))
    unusable = int((~np.isfinite(a)).sum())
    if not np.isfinite(b).all():
        return _faulty(key, "the reference's answer holds NaN or infinity")
    if unusable:
        return Measured(
            key, measured.max_abs, measured.mean_abs, measured.scale, fault=f"{unusable} values are NaN or infinite"
        )
    if labels is None or a.shape[1] < 2:
        return measured
    return Measured(
        key, measured.max_abs, measured.mean_abs, measured.scale, a.argmax(axis=1), b.argmax(axis=1), labels
    )


def _equality(key: Key, got: NDArray[Any], expected: NDArray[Any]) -> Measured:
    """Whole numbers, truth values and strings are equal or wrong: an error is 1, and no scale excuses it."""
    error = flat_samples(np.asarray(got != expected))
    wrong = error.max(axis=1, initial=0.0)
    return Measured(key, wrong, float(error.mean()) if error.size else 0.0, np.zeros(len(wrong)))


def _faulty(key: Key, reason: str) -> Measured:
    return Measured(key, np.empty(0), float("nan"), np.empty(0), fault=reason)
