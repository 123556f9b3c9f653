"""Do two runtimes give the same answers? NumPy alone.

`measure` is the slow half: it runs everything and keeps, for each sample, its largest error.
`judging.judge` is the quick half: it applies the tolerances, and can be asked again with others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convnet_core.compare.differences import Key, Labels, Measurement, difference, faulty
from convnet_core.compare.sample_progress import SampleProgress
from convnet_core.errors import InputsError, Stopped, one_line
from convnet_core.onnx_files.precision import FLOAT32
from convnet_core.tensors.arrays import Feeds, batch_of, sample_count

TEST = "test set"

_ALL_FLOAT32: Mapping[str, str] = MappingProxyType({})


Align = Callable[[Feeds, Feeds, Feeds], tuple[Feeds, int]]
"""From inputs, a runtime's outputs and the reference's: the runtime's in the reference's order, and the rows moved."""


class ReferenceFault(InputsError):
    """The reference cannot run the model on an input set; `feeds` are its samples, run `batch` at a time."""

    def __init__(self, message: str, feeds: Feeds, batch: int) -> None:
        super().__init__(message)
        self.feeds, self.batch = feeds, batch


class InferenceRuntime(Protocol):
    """What is asked of a runtime here."""

    name: str
    converter: str | None

    def infer(self, feeds: Feeds) -> Feeds: ...
    def close(self) -> None: ...


class RuntimeSource(Protocol):
    """A runtime that is not loaded yet."""

    @property
    def name(self) -> str: ...
    @property
    def converter(self) -> str | None: ...
    @property
    def open(self) -> Callable[[], InferenceRuntime]: ...


@dataclass(frozen=True)
class InputSet:
    """Samples [n, ...] for each input of the model; `labels` int64 [n] where the answers are known.

    `batched` names the inputs that have a batch dimension, None for all; the others are fed whole.
    """

    name: str
    feeds: Feeds
    labels: Labels | None = None
    batched: frozenset[str] | None = None

    @property
    def count(self) -> int:
        """The number of samples."""
        return sample_count(self.feeds, self.batched)


def measure(
    reference: InferenceRuntime,
    sources: Sequence[RuntimeSource],
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    progress: Callable[[str, int, int], None] | None = None,
    at_once: int = 1,
    precisions: Mapping[str, str] = _ALL_FLOAT32,
    align: Align | None = None,
) -> list[Measurement]:
    """Run every runtime on every input set at every batch size; `at_once` runtimes go side by side.

    A runtime is compared with the reference at the same batch size, as answers may depend on the whole batch (a mean
    over it, dynamic quantization, indices of its samples). The reference itself is compared with its answers at the
    largest batch size, where it runs twice: that shows whether they do, and whether it repeats its answers.

    Whatever a runtime raises is its result, and the others go on. Raises ReferenceFault where the reference fails.
    `progress` hears (label, done, total) in samples; `precisions` are those of outputs (`precision.output_precisions`).
    `align` puts rows in the reference's order.
    """
    others = [source for source in sources if source.name != reference.name]
    count = SampleProgress((1 + len(others)) * len(batch_sizes) * sum(item.count for item in inputs), progress)
    expected, found = reference_answers(reference, inputs, batch_sizes, count, precisions)

    def of(source: RuntimeSource) -> list[Measurement]:
        return measure_one(source, inputs, batch_sizes, expected, count, precisions, align)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            found += [line for lines in pool.map(of, others) for line in lines]
        except BaseException:  # a stop reaches this thread alone
            count.stop()
            raise
    return found


def reference_answers(
    reference: InferenceRuntime,
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    count: SampleProgress,
    precisions: Mapping[str, str],
) -> tuple[dict[tuple[str, int], list[Feeds]], list[Measurement]]:
    """The reference's answers by input set and batch size, and how they differ from those at the largest."""
    answers, found, largest = {}, [], max(batch_sizes)
    for item in inputs:
        try:
            for batch in batch_sizes:
                answers[item.name, batch] = _run(reference, item, batch, count.part(reference.name))
            again = _run(reference, item, largest)
        except Stopped:
            raise
        except Exception as error:  # each runtime has kinds of its own
            raise ReferenceFault(one_line(error), item.feeds, batch) from error
        for batch in batch_sizes:
            got = again if batch == largest else answers[item.name, batch]
            found += _differences(reference, item, batch, got, answers[item.name, largest], precisions)
    return answers, found


def measure_one(
    source: RuntimeSource,
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    expected: Mapping[tuple[str, int], list[Feeds]],
    count: SampleProgress,
    precisions: Mapping[str, str],
    align: Align | None,
) -> list[Measurement]:
    """One runtime against the reference's answers."""
    runtime: InferenceRuntime
    try:
        runtime = source.open()
    except Exception as error:
        runtime = _Broken(source.name, source.converter, error)
    found = []
    for item in inputs:
        for batch in batch_sizes:
            tell = count.part(source.name)
            found += _measure(runtime, item, batch, expected[item.name, batch], tell, precisions, align)
            tell(item.count)  # where it failed, too
    runtime.close()
    return found


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


def _run(
    runtime: InferenceRuntime, item: InputSet, batch: int, tell: Callable[[int], None] | None = None
) -> list[Feeds]:
    """All outputs for all samples, run `batch` at a time: those of each call."""
    parts: list[Feeds] = []
    for start, feeds in _batches(item, batch):
        parts.append(runtime.infer(feeds))
        if tell:
            tell(min(start + batch, item.count))
    return parts


def _batches(item: InputSet, batch: int) -> Iterator[tuple[int, Feeds]]:
    """Where each batch begins, and its inputs; no samples at all are one batch, too."""
    for start in range(0, max(item.count, 1), batch):
        yield start, batch_of(item.feeds, start, start + batch, item.batched)


def _joined(calls: Sequence[Feeds], name: str) -> NDArray[Any]:
    """One output of all calls; flat where its shape depends on the values."""
    parts = [np.atleast_1d(outputs[name]) for outputs in calls]
    same = len({part.shape[1:] for part in parts}) == 1
    return np.concatenate(parts if same else [part.ravel() for part in parts])


def _measure(
    runtime: InferenceRuntime,
    item: InputSet,
    batch: int,
    expected: list[Feeds],
    tell: Callable[[int], None],
    precisions: Mapping[str, str],
    align: Align | None,
) -> list[Measurement]:
    moved = 0
    try:
        got = _run(runtime, item, batch, tell)
        if align:
            fed = (feeds for _, feeds in _batches(item, batch))
            pairs = [align(*three) for three in zip(fed, got, expected, strict=True)]
            got, moved = [outputs for outputs, _ in pairs], sum(count for _, count in pairs)
    except Stopped:
        raise
    except Exception as error:
        reason = f"failed: {one_line(error)}"
        return [faulty(Key(runtime.name, runtime.converter, item.name, batch, name), reason) for name in expected[0]]
    return [replace(line, moved=moved) for line in _differences(runtime, item, batch, got, expected, precisions)]


def _differences(
    runtime: InferenceRuntime,
    item: InputSet,
    batch: int,
    got: list[Feeds],
    expected: list[Feeds],
    precisions: Mapping[str, str],
) -> list[Measurement]:
    """Each output of all calls against the reference's."""
    keys = {name: Key(runtime.name, runtime.converter, item.name, batch, name) for name in expected[0]}
    if got[0].keys().isdisjoint(keys):
        reason = f"no common output: it gives {', '.join(got[0]) or 'nothing'}"
        return [faulty(key, reason) for key in keys.values()]
    return [
        difference(key, _joined(got, name), _joined(expected, name), item.labels, precisions.get(name, FLOAT32))
        if name in got[0]
        else faulty(key, "output missing")
        for name, key in keys.items()
    ]
