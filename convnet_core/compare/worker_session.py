"""`compare.measure` with the runtimes in a worker: one that crashes or hangs fails, and the others go on.

The input sets go to the worker once, which runs all batches. Where it dies, each runtime that had no result yet is
measured once more, alone, so that it is known which one it was.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from convnet_core.compare import ties
from convnet_core.compare.differences import Key, Measurement, faulty
from convnet_core.compare.measure import Align, InputSet, ReferenceFault, measure_one, reference_answers
from convnet_core.compare.measurements_file import packed, unpacked
from convnet_core.compare.rankings import Rankings
from convnet_core.compare.sample_progress import SampleProgress
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import DiedError, ModelError
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.precision import FLOAT32, tolerance
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import Source, sources
from convnet_core.runtimes.specs import available
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.client import Worker, shared
from convnet_core.worker.messages import Content, Message, Notify, Task

_SECONDS = 600.0
"""Without a word of a batch that is done, or of a runtime that is open."""
_TELL_SECONDS = 0.1

# -- the side that asks -----------------------------------------------------------------------------


def warm_up() -> None:
    """Have the worker import the libraries of all runtimes, while this process has other work."""
    shared().submit(_import_libraries, {})


def measure(
    run: Run,
    found: Sequence[Source],
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    progress: Callable[[str, int, int], None],
    at_once: int,
    precisions: Mapping[str, str],
    config: CompareConfig,
) -> list[Measurement]:
    """What `compare.measure` measures of the runtimes `found` of a run, the first of which is the reference.

    Rows that a model from elsewhere sorts by nearly equal scores are put in the reference's order, by the tolerances of
    `config`. Raises ReferenceFault where the reference fails, ModelError where it dies.
    """
    worker = shared()
    session = _Session(worker, run, found, inputs, batch_sizes, progress, precisions, config)
    measured = session.prepare()
    others = found[1:]
    with ThreadPoolExecutor(at_once) as pool:
        try:
            lines = list(pool.map(session.beside_others, others))
        except BaseException:  # a stop reaches this thread alone
            worker.restart()
            raise
    for source, own in zip(others, lines, strict=True):
        measured += session.alone(source) if own is None else own
    worker.submit(_forget, {})
    return measured


class _Session:
    """One comparison, in as many processes as it takes."""

    def __init__(
        self,
        worker: Worker,
        run: Run,
        found: Sequence[Source],
        inputs: Sequence[InputSet],
        batch_sizes: Sequence[int],
        progress: Callable[[str, int, int], None],
        precisions: Mapping[str, str],
        config: CompareConfig,
    ) -> None:
        self._worker, self._reference = worker, found[0].name
        self._inputs, self._batch_sizes = inputs, batch_sizes
        self._content, self._arrays = _described(run, inputs, batch_sizes, precisions, config)
        self._samples = len(batch_sizes) * sum(item.count for item in inputs)
        count = SampleProgress(len(found) * self._samples, progress)
        self._parts = {source.name: count.part(source.name) for source in found}
        self._outputs: list[list[str]] = []
        self._prepared_in: int | None = None

    def prepare(self) -> list[Measurement]:
        """Have the process of now answer with the reference; gives the reference's own measurements."""
        try:
            made, arrays = self._run(_prepare, self._content, self._arrays, self._reference)
        except (
            DiedError
        ):  # of a library that was being imported, perhaps: a fresh process imports the reference's alone
            try:
                made, arrays = self._run(_prepare, self._content, self._arrays, self._reference)
            except DiedError as error:
                raise ModelError(f"the reference {self._reference} failed: {error}") from error
        if "fault" in made:
            raise ReferenceFault(made["fault"], self._inputs[made["set"]].feeds, made["batch"])
        self._outputs, self._prepared_in = made["outputs"], made["pid"]
        return unpacked(made["lines"], arrays)

    def beside_others(self, source: Source) -> list[Measurement] | None:
        """The measurements of a runtime; None where the process has died, of this or another one."""
        try:
            return self._measure(source)
        except DiedError:
            return None

    def alone(self, source: Source) -> list[Measurement]:
        """The measurements of a runtime with nothing beside it, or how it died."""
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
        made, arrays = self._run(_measure, {"name": source.name}, {}, source.name)
        return unpacked(made["lines"], arrays) if made else None

    def _run(self, task: Task, content: Content, arrays: Feeds, name: str) -> Message:
        def tell(content: Content, arrays: Feeds) -> None:
            self._parts[name](content["done"])

        return self._worker.run(task, content, arrays, notify=tell, seconds=_SECONDS, lane=name)

    def _faults(self, source: Source, reason: str) -> list[Measurement]:
        return [
            replace(
                faulty(Key(source.name, source.converter, item.name, batch, output), reason),
                precision=self._content["precisions"].get(output, FLOAT32),
            )
            for item, outputs in zip(self._inputs, self._outputs, strict=True)
            for batch in self._batch_sizes
            for output in outputs
        ]


def _described(
    run: Run,
    inputs: Sequence[InputSet],
    batch_sizes: Sequence[int],
    precisions: Mapping[str, str],
    config: CompareConfig,
) -> Message:
    """A comparison as `_prepare` takes it."""
    arrays: Feeds = {}
    sets = []
    for place, item in enumerate(inputs):
        arrays |= {f"{place} {name}": array for name, array in item.feeds.items()}
        if item.labels is not None:
            arrays[f"{place}"] = item.labels
        sets.append({"name": item.name, "batched": None if item.batched is None else sorted(item.batched)})
    content = {
        "run": str(run.path),
        "inputs": sets,
        "batch_sizes": list(batch_sizes),
        "precisions": dict(precisions),
        "config": config.to_json(),
    }
    return content, arrays


# -- the side that works ----------------------------------------------------------------------------


def _import_libraries(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Import what the runtimes need; what is missing is found out by the one that needs it."""
    for spec in available():
        with contextlib.suppress(ImportError):
            spec.import_library()
    return {}, {}


@dataclass
class _State:
    """What the worker keeps for the runtimes of a comparison."""

    sources: dict[str, Source] = field(default_factory=dict)
    inputs: list[InputSet] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    expected: Mapping[tuple[str, int], list[Feeds]] = field(default_factory=dict)
    precisions: Mapping[str, str] = field(default_factory=dict)
    align: Align | None = None

    def count(self, tell: Notify) -> SampleProgress:
        """What tells, now and then, how many samples one runtime has done."""
        last = 0.0

        def progress(_: str, done: int, total: int) -> None:
            nonlocal last
            here = time.monotonic()
            if here - last >= _TELL_SECONDS or done == total:
                last = here
                tell({"done": done}, {})

        return SampleProgress(len(self.batch_sizes) * sum(item.count for item in self.inputs), progress)


_state = _State()


def _prepare(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Keep the input sets and the reference's answers; gives its own measurements, and the outputs of each set."""
    global _state
    run = Run(Path(content["run"]))
    found = sources(run)
    inputs = [_input_set(place, item, arrays) for place, item in enumerate(content["inputs"])]
    _state = _State({source.name: source for source in found}, inputs, content["batch_sizes"])
    _state.precisions = content["precisions"]
    with found[0].open() as reference:
        try:
            _state.expected, measured = reference_answers(
                reference, inputs, _state.batch_sizes, _state.count(tell), _state.precisions
            )
        except ReferenceFault as error:
            place = next(place for place, item in enumerate(inputs) if item.feeds is error.feeds)
            return {"fault": str(error), "set": place, "batch": error.batch}, {}
    if run.is_model:
        _state.align = _alignment(run, CompareConfig.from_json(content["config"]), _state.precisions)
    lines, packed_arrays = packed(measured)
    outputs = [list(_state.expected[item.name, _state.batch_sizes[0]][0]) for item in inputs]
    return {"lines": lines, "outputs": outputs, "pid": os.getpid()}, packed_arrays


def _input_set(place: int, item: Content, arrays: Feeds) -> InputSet:
    start = f"{place} "
    feeds = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    names = None if item["batched"] is None else frozenset(item["batched"])
    return InputSet(item["name"], feeds, arrays.get(f"{place}"), names)


def _alignment(run: Run, config: CompareConfig, precisions: Mapping[str, str]) -> Align | None:
    """Puts rows in the reference's order where equal scores leave it open; None where the model ranks nothing."""
    path = run.path / "export" / model_file.FILE
    rankings = Rankings(path, model_file.load(path))
    tolerances = {name: tolerance(config, precision) for name, precision in precisions.items()}

    def align(feeds: Feeds, got: Feeds, expected: Feeds) -> tuple[Feeds, int]:
        if ties.equal(got, expected, tolerances):
            return got, 0
        return ties.aligned(got, expected, rankings.of(feeds), tolerances)

    return align if rankings else None


def _measure(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Measure the runtime of a `name`; nothing where this process is a new one, which has no input sets."""
    source = _state.sources.get(content["name"])
    if source is None:
        return {}, {}
    count = _state.count(tell)
    lines, found = packed(
        measure_one(source, _state.inputs, _state.batch_sizes, _state.expected, count, _state.precisions, _state.align)
    )
    return {"lines": lines}, found


def _forget(content: Content, arrays: Feeds, tell: Notify) -> Message:
    global _state
    _state = _State()
    return {}, {}
