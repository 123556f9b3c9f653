"""Measure how far the answers of runtimes differ. Needs only NumPy.

`measure` is the slow half: it runs everything and records the largest error of each sample.
`judge.judge` is the fast half: it applies the tolerances, and can run again with other tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.formatting import list_words
from convnet_core.compare.differences import Key, Labels, Measurement, difference, failed_measurement
from convnet_core.compare.sample_progress import SampleProgress
from convnet_core.errors import InputsError, Stopped, one_line
from convnet_core.language import _, keep
from convnet_core.onnx_files.precision import FLOAT32
from convnet_core.tensors.arrays import Feeds, batch_of, sample_count

SAMPLE = 1000
"""How many test images run at the batch sizes other than the largest."""

_ALL_FLOAT32: Mapping[str, str] = MappingProxyType({})


Align = Callable[[Feeds, Feeds, Feeds], tuple[Feeds, int]]
"""Takes inputs, a runtime's outputs and the reference's; returns the runtime's in the reference's order, and the number
of moved rows."""


class ReferenceFault(InputsError):
    """The reference cannot run the model on an input set; `feeds` are its samples, run `batch` at a time."""

    def __init__(self, message: str, feeds: Feeds, batch: int) -> None:
        super().__init__(message)
        self.feeds, self.batch = feeds, batch


class InferenceRuntime(Protocol):
    """The part of a runtime that a comparison needs."""

    name: str
    converter: str | None

    def infer(self, feeds: Feeds) -> Feeds: ...
    def close(self) -> None: ...


class RuntimeSource(Protocol):
    """A runtime that is not open yet."""

    @property
    def name(self) -> str: ...
    @property
    def converter(self) -> str | None: ...
    @property
    def open(self) -> Callable[[], InferenceRuntime]: ...


@dataclass(frozen=True)
class InputSet:
    """Samples [n, ...] for each input of the model; `labels` int64 [n] if the answers are known.

    `batched` names the inputs that have a batch dimension, None for all; the others are fed unsplit. `batch_sizes` are
    the sizes to run this set at, if they are not all of the comparison's. Two sets of one name have no size in common.
    """

    name: str
    feeds: Feeds
    labels: Labels | None = None
    batched: frozenset[str] | None = None
    batch_sizes: tuple[int, ...] = ()

    def sizes(self, batch_sizes: Sequence[int]) -> Sequence[int]:
        """The sizes to run this set at, in a comparison at `batch_sizes`."""
        return self.batch_sizes or batch_sizes

    @property
    def count(self) -> int:
        """The number of samples."""
        return sample_count(self.feeds, self.batched)


def count_samples(inputs: Sequence[InputSet], batch_sizes: Sequence[int]) -> int:
    """How many samples one runtime runs, at all batch sizes together."""
    return sum(item.count * len(item.sizes(batch_sizes)) for item in inputs)


def evenly_spaced(count: int, sample: int) -> NDArray[np.intp]:
    """The indices of `sample` of `count` samples, evenly spaced, because a data set may be sorted by label."""
    return np.arange(sample) * count // sample


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
    """Run every runtime on every input set at every batch size; `at_once` runtimes run in parallel.

    A runtime is compared with the reference at the same batch size, because answers may depend on the whole batch (a
    mean over it, dynamic quantization, indices of samples). The reference is compared with its own answers at the
    largest batch size, where it runs twice: this shows whether they depend on the batch, and whether they repeat.

    An error of a runtime becomes its result. Raises ReferenceFault if the reference fails. `progress` receives (label,
    done, total) in samples; `precisions` are those of outputs (`precision.output_precisions`).
    `align` puts rows in the reference's order.
    """
    others = [source for source in sources if source.name != reference.name]
    count = SampleProgress((1 + len(others)) * count_samples(inputs, batch_sizes), progress)
    expected, measurements = reference_answers(reference, inputs, batch_sizes, count, precisions)

    def measure_source(source: RuntimeSource) -> list[Measurement]:
        return measure_runtime(source, inputs, batch_sizes, expected, count, precisions, align)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            measurements += [line for lines in pool.map(keep(measure_source), others) for line in lines]
        except BaseException:  # only this thread receives a stop
            count.stop()
            raise
    return measurements


def reference_answers(
    reference: InferenceRuntime,
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    count: SampleProgress,
    precisions: Mapping[str, str],
) -> tuple[dict[tuple[str, int], list[Feeds]], list[Measurement]]:
    """The reference's answers by input set and batch size, and how they differ from those at the largest."""
    answers, measurements, largest = {}, [], max(batch_sizes)
    for item in inputs:
        try:
            for batch in item.sizes(batch_sizes):
                answers[item.name, batch] = _run(reference, item, batch, count.part(reference.name))
            again = _run(reference, item, largest)
        except Stopped:
            raise
        except Exception as error:  # each runtime raises its own error types
            raise ReferenceFault(one_line(error), item.feeds, batch) from error
        first = answers[item.name, largest] if largest in item.sizes(batch_sizes) else again
        for batch in item.sizes(batch_sizes):
            got = again if batch == largest else answers[item.name, batch]
            measurements += _differences(reference, item, batch, got, first, precisions)
    return answers, measurements


def measure_runtime(
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
        runtime = _FailedRuntime(source.name, source.converter, error)
    measurements = []
    for item in inputs:
        for batch in item.sizes(batch_sizes):
            report_done = count.part(source.name)
            measurements += _measure(runtime, item, batch, expected[item.name, batch], report_done, precisions, align)
            report_done(item.count)  # also if it failed
    runtime.close()
    return measurements


@dataclass
class _FailedRuntime:
    """Stands in for a runtime that could not be opened: every call raises the reason."""

    name: str
    converter: str | None
    error: Exception

    def infer(self, feeds: Feeds) -> Feeds:
        raise self.error

    def close(self) -> None:
        pass


def _run(
    runtime: InferenceRuntime, item: InputSet, batch: int, report_done: Callable[[int], None] | None = None
) -> list[Feeds]:
    """Run all samples, `batch` at a time; the outputs of each call."""
    parts: list[Feeds] = []
    for start, feeds in _batches(item, batch):
        parts.append(runtime.infer(feeds))
        if report_done:
            report_done(min(start + batch, item.count))
    return parts


def _batches(item: InputSet, batch: int) -> Iterator[tuple[int, Feeds]]:
    """The start and the inputs of each batch; no samples are one empty batch."""
    for start in range(0, max(item.count, 1), batch):
        yield start, batch_of(item.feeds, start, start + batch, item.batched)


def _join(calls: Sequence[Feeds], name: str) -> NDArray[Any]:
    """One output of all calls, concatenated; flat if its shape depends on the values."""
    parts = [np.atleast_1d(outputs[name]) for outputs in calls]
    same = len({part.shape[1:] for part in parts}) == 1
    return np.concatenate(parts if same else [part.ravel() for part in parts])


def _measure(
    runtime: InferenceRuntime,
    item: InputSet,
    batch: int,
    expected: list[Feeds],
    report_done: Callable[[int], None],
    precisions: Mapping[str, str],
    align: Align | None,
) -> list[Measurement]:
    moved = 0
    try:
        got = _run(runtime, item, batch, report_done)
        if align:
            feeds_of_calls = (feeds for _start, feeds in _batches(item, batch))
            pairs = [align(*three) for three in zip(feeds_of_calls, got, expected, strict=True)]
            got, moved = [pair[0] for pair in pairs], sum(pair[1] for pair in pairs)
    except Stopped:
        raise
    except Exception as error:
        reason = _("failed: {reason}", reason=one_line(error))
        return [
            failed_measurement(Key(runtime.name, runtime.converter, item.name, batch, name), reason)
            for name in expected[0]
        ]
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
        names = list_words(got[0]) or _("nothing")
        reason = _("no common output: it returns {names}", names=names)
        return [failed_measurement(key, reason) for key in keys.values()]
    return [
        difference(key, _join(got, name), _join(expected, name), item.labels, precisions.get(name, FLOAT32))
        if name in got[0]
        else failed_measurement(key, _("output missing"))
        for name, key in keys.items()
    ]
