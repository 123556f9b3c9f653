"""`compare.measure` with the runtimes in a worker: a crash or a hang fails one runtime, and the others continue.

The worker receives the input sets once and runs all batches. If it crashes, each runtime without a result runs again
alone, which shows the one that caused the crash.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from convnet_core.common.memory import keep_freed_memory
from convnet_core.compare import ties
from convnet_core.compare.differences import Key, Measurement, failed_measurement
from convnet_core.compare.measure import (
    Align,
    InputSet,
    ReferenceFault,
    count_samples,
    measure_runtime,
    reference_answers,
)
from convnet_core.compare.measurements_file import pack, unpack
from convnet_core.compare.rankings import Rankings
from convnet_core.compare.sample_progress import SampleProgress
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import DiedError, ModelError
from convnet_core.language import _, keep
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.precision import FLOAT32, tolerance
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import Source, sources
from convnet_core.runtimes.specs import available
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.client import Worker, shared
from convnet_core.worker.messages import Content, Message, Notify, Task

_SECONDS = 600.0
"""The time limit for one batch, and for opening a runtime."""
_NOTIFY_SECONDS = 0.1

# -- the parent ------------------------------------------------------------------------------------


def warm_up() -> None:
    """Make the worker import the libraries of all runtimes while this process does other work."""
    shared().submit(_import_libraries, {})


def measure(
    run: Run,
    runtimes: Sequence[Source],
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    progress: Callable[[str, int, int], None],
    at_once: int,
    precisions: Mapping[str, str],
    config: CompareConfig,
) -> list[Measurement]:
    """Like `compare.measure`, for the runtimes of a run; the first is the reference.

    Rows that an imported model sorts by nearly equal scores are put in the reference's order, with the tolerances of
    `config`. Raises ReferenceFault if the reference fails, ModelError if it crashes.
    """
    worker = shared()
    session = _Session(worker, run, runtimes, inputs, batch_sizes, progress, at_once, precisions, config)
    measurements = session.prepare()
    others = runtimes[1:]
    with ThreadPoolExecutor(at_once) as pool:
        try:
            lines = list(pool.map(keep(session.measure_in_parallel), others))
        except BaseException:  # only this thread receives a stop
            worker.restart()
            raise
    for source, result in zip(others, lines, strict=True):
        measurements += session.measure_alone(source) if result is None else result
    worker.submit(_forget, {})
    return measurements


class _Session:
    """One comparison; the worker is restarted after each crash."""

    def __init__(
        self,
        worker: Worker,
        run: Run,
        runtimes: Sequence[Source],
        inputs: Sequence[InputSet],
        batch_sizes: Sequence[int],
        progress: Callable[[str, int, int], None],
        threads: int,
        precisions: Mapping[str, str],
        config: CompareConfig,
    ) -> None:
        self._worker, self._reference = worker, runtimes[0].name
        self._inputs, self._batch_sizes = inputs, batch_sizes
        self._content, self._arrays = _to_content(run, inputs, batch_sizes, threads, precisions, config)
        self._samples = count_samples(inputs, batch_sizes)
        count = SampleProgress(len(runtimes) * self._samples, progress)
        self._parts = {source.name: count.part(source.name) for source in runtimes}
        self._outputs: list[list[str]] = []
        self._prepared_in: int | None = None

    def prepare(self) -> list[Measurement]:
        """Run the reference in the current worker process; returns the reference's own measurements."""
        try:
            reply, arrays = self._run(prepare_reference, self._content, self._arrays, self._reference)
        except DiedError:  # maybe another library crashed on import: a new process only imports the reference's
            try:
                reply, arrays = self._run(prepare_reference, self._content, self._arrays, self._reference)
            except DiedError as error:
                raise ModelError(
                    _("the reference {runtime} failed: {reason}", runtime=self._reference, reason=error)
                ) from error
        if "fault" in reply:
            raise ReferenceFault(reply["fault"], self._inputs[reply["set"]].feeds, reply["batch"])
        self._outputs, self._prepared_in = reply["outputs"], reply["pid"]
        return unpack(reply["lines"], arrays)

    def measure_in_parallel(self, source: Source) -> list[Measurement] | None:
        """The measurements of a runtime; None if this or another runtime crashed the process."""
        try:
            return self._measure(source)
        except DiedError:
            return None

    def measure_alone(self, source: Source) -> list[Measurement]:
        """The measurements of a runtime that runs alone, or how it crashed."""
        if self._prepared_in != self._worker.pid:
            self.prepare()
        try:
            measured = self._measure(source)
        except DiedError as error:
            self._parts[source.name](self._samples)
            return self._faults(source, f"failed: {error}")
        assert measured is not None
        return measured

    def _measure(self, source: Source) -> list[Measurement] | None:
        reply, arrays = self._run(_measure, {"name": source.name}, {}, source.name)
        return unpack(reply["lines"], arrays) if reply else None

    def _run(self, task: Task, content: Content, arrays: Feeds, name: str) -> Message:
        def add_done(content: Content, arrays: Feeds) -> None:
            self._parts[name](content["done"])

        return self._worker.run(task, content, arrays, notify=add_done, seconds=_SECONDS, lane=name)

    def _faults(self, source: Source, reason: str) -> list[Measurement]:
        return [
            replace(
                failed_measurement(Key(source.name, source.converter, item.name, batch, output), reason),
                precision=self._content["precisions"].get(output, FLOAT32),
            )
            for item, outputs in zip(self._inputs, self._outputs, strict=True)
            for batch in item.sizes(self._batch_sizes)
            for output in outputs
        ]


def _to_content(
    run: Run,
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    threads: int,
    precisions: Mapping[str, str],
    config: CompareConfig,
) -> Message:
    """A comparison as content and arrays for `prepare_reference`."""
    arrays: Feeds = {}
    sets = []
    for place, item in enumerate(inputs):
        arrays |= {f"{place} {name}": array for name, array in item.feeds.items()}
        if item.labels is not None:
            arrays[f"{place}"] = item.labels
        names = None if item.batched is None else sorted(item.batched)
        sets.append({"name": item.name, "batched": names, "batch_sizes": item.batch_sizes})
    content = {
        "run": str(run.path),
        "inputs": sets,
        "batch_sizes": list(batch_sizes),
        "threads": threads,
        "precisions": dict(precisions),
        "config": config.to_json(),
    }
    return content, arrays


# -- the worker ------------------------------------------------------------------------------------


def _import_libraries(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Import what the runtimes need. A missing library fails later, in its own runtime."""
    for spec in available():
        with contextlib.suppress(ImportError):
            spec.import_library()
    return {}, {}


@dataclass
class _State:
    """The worker's data of a comparison."""

    sources: dict[str, Source] = field(default_factory=dict)
    inputs: list[InputSet] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    expected: Mapping[tuple[str, int], list[Feeds]] = field(default_factory=dict)
    precisions: Mapping[str, str] = field(default_factory=dict)
    align: Align | None = None

    def count(self, notify: Notify) -> SampleProgress:
        """Progress that notifies, every 0.1 s, how many samples one runtime has finished."""
        last = 0.0

        def progress(label: str, done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _NOTIFY_SECONDS or done == total:
                last = now
                notify({"done": done}, {})

        return SampleProgress(count_samples(self.inputs, self.batch_sizes), progress)


_state = _State()


def prepare_reference(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Store the input sets and the reference's answers; returns its measurements, and the outputs of each set."""
    global _state
    # Outside the main thread, glibc returns PyTorch's activations to the system after each call: 2.6 s of CPU time
    # instead of 1.1 for the digits.
    keep_freed_memory()
    run = Run(Path(content["run"]))
    inputs = [_input_set(place, item, arrays) for place, item in enumerate(content["inputs"])]
    _state = _State({source.name: source for source in sources(run)}, inputs, content["batch_sizes"])
    _state.precisions = content["precisions"]
    with sources(run, content["threads"])[0].open() as reference:  # it runs alone, so it gets all threads
        try:
            _state.expected, measured = reference_answers(
                reference, inputs, _state.batch_sizes, _state.count(notify), _state.precisions
            )
        except ReferenceFault as error:
            place = next(place for place, item in enumerate(inputs) if item.feeds is error.feeds)
            return {"fault": str(error), "set": place, "batch": error.batch}, {}
    if run.is_model:
        _state.align = _alignment(run, CompareConfig.from_json(content["config"]), _state.precisions)
    lines, packed_arrays = pack(measured)
    outputs = [list(_state.expected[item.name, item.sizes(_state.batch_sizes)[0]][0]) for item in inputs]
    return {"lines": lines, "outputs": outputs, "pid": os.getpid()}, packed_arrays


def _input_set(place: int, item: Content, arrays: Feeds) -> InputSet:
    start = f"{place} "
    feeds = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    names = None if item["batched"] is None else frozenset(item["batched"])
    return InputSet(item["name"], feeds, arrays.get(f"{place}"), names, tuple(item["batch_sizes"]))


def _alignment(run: Run, config: CompareConfig, precisions: Mapping[str, str]) -> Align | None:
    """A function that puts rows with equal scores in the reference's order; None if the model ranks nothing."""
    path = run.path / "export" / model_file.FILE
    rankings = Rankings(path, model_file.load(path))
    tolerances = {name: tolerance(config, precision) for name, precision in precisions.items()}

    def align(feeds: Feeds, got: Feeds, expected: Feeds) -> tuple[Feeds, int]:
        if ties.equal(got, expected, tolerances):
            return got, 0
        return ties.align_rows(got, expected, rankings.of(feeds), tolerances)

    return align if rankings else None


def _measure(content: Content, arrays: Feeds, notify: Notify) -> Message:
    """Measure the runtime of a `name`; empty if this is a new process, which has no input sets."""
    source = _state.sources.get(content["name"])
    if source is None:
        return {}, {}
    count = _state.count(notify)
    lines, packed_arrays = pack(
        measure_runtime(
            source, _state.inputs, _state.batch_sizes, _state.expected, count, _state.precisions, _state.align
        )
    )
    return {"lines": lines}, packed_arrays


def _forget(content: Content, arrays: Feeds, notify: Notify) -> Message:
    global _state
    _state = _State()
    return {}, {}
