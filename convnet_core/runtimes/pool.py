"""All runtimes of a run, opened in the background and kept warm in a worker, to answer without delay.

Neither this module nor this process imports torch or TensorFlow: the worker does, when a RuntimePool is created.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.files import digest, new_id
from convnet_core.errors import ConvNetError, DiedError, RunError, one_line
from convnet_core.language import keep
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runtimes import pool_worker, turns
from convnet_core.runtimes.specs import PYTORCH, spec_of
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]

_OPEN_SECONDS, _READ_SECONDS = 300.0, 60.0
"""Time limits for a runtime that does not respond."""


def softmax(logits: Logits) -> Probabilities:
    """Probabilities of logits [..., classes], in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Answer:
    """A runtime's output for n images: logits float32 and probabilities float64, both [n, classes]."""

    logits: Logits
    probabilities: Probabilities

    @property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 [n]."""
        return np.asarray(self.logits.argmax(axis=1))


@dataclass(frozen=True)
class Difference:
    """The largest difference between runtimes: its size, the class, and the two runtimes."""

    value: float
    label: int
    higher: str
    lower: str


def largest_difference(values: Mapping[str, NDArray[np.float32] | Probabilities]) -> Difference | None:
    """The largest difference between any two runtimes' values [n, classes]; None with fewer than two."""
    if len(values) < 2:
        return None
    names = list(values)
    stacked = np.stack([values[name].astype(np.float64) for name in names])
    classes = stacked.shape[-1]
    flat = stacked.reshape(len(names), -1)
    spread = np.ptp(flat, axis=0)
    place = int(spread.argmax())
    high, low = int(flat[:, place].argmax()), int(flat[:, place].argmin())
    return Difference(float(spread[place]), place % classes, names[high], names[low])


def by_label(labels: Mapping[str, int]) -> dict[int, list[str]]:
    """The runtimes by the label that they read, the most common label first."""
    names: dict[int, list[str]] = {}
    for name, label in labels.items():
        names.setdefault(label, []).append(name)
    return dict(sorted(names.items(), key=lambda item: -len(item[1])))


def fingerprint(run: Run) -> str:
    """A text that changes when any file of the runtimes changes."""
    lines = []
    for stage in ("export", *CONVERT_STAGES):
        try:
            record = run.record(stage)
        except RunError as error:
            record = None
            lines.append(str(error))
        for name in record.outputs if record else ():
            path = run.path / stage / name
            lines.append(f"{stage}/{name} {digest(path) if path.is_file() else 'gone'}")
    return "\n".join(lines)


class RuntimePool:
    """Opens every runtime of a run in the background, the fast ones first, and reads with those that are ready.

    Each runs one inference before it counts as ready. A runtime that fails, or crashes the worker, stays in `failed`
    with the reason; the others are opened again in a new process. All methods may be called from any thread.
    """

    def __init__(self, run: Run, *, doubt: bool = False) -> None:
        """`doubt` learns in the background what `doubt` needs: some seconds the first time a network is opened."""
        self._run, self._key, self._doubt = run, new_id(), doubt
        self._lock = threading.RLock()
        self._names: tuple[str, ...] = ()
        self._open_in: dict[str, int] = {}
        self._failed: dict[str, str] = {}
        self._fault: ConvNetError | None = None
        self._doubt_fault = ""
        self._closed = False
        self._thread = self._opening()

    @property
    def ready(self) -> tuple[str, ...]:
        """The runtimes that answer, PyTorch first."""
        pid = shared().pid
        with self._lock:
            return tuple(name for name in self._names if pid is not None and self._open_in.get(name) == pid)

    @property
    def pending(self) -> tuple[str, ...]:
        """The runtimes that are not open yet; also empty until the list of runtimes is known."""
        ready = self.ready
        with self._lock:
            return tuple(name for name in self._names if name not in ready and name not in self._failed)

    @property
    def failed(self) -> dict[str, str]:
        """Why each failed runtime does not answer, in one line."""
        with self._lock:
            return dict(self._failed)

    @property
    def names(self) -> tuple[str, ...]:
        """All runtimes of the run, PyTorch first; empty until the list is known."""
        return self._names

    @property
    def fault(self) -> ConvNetError | None:
        """Why there are no runtimes at all."""
        return self._fault

    @property
    def loading(self) -> bool:
        """Whether runtimes are still being opened."""
        return self.busy and not (self._names and not self.pending)

    @property
    def learning(self) -> bool:
        """Whether the runtimes are open, and what `doubt` needs is still being learned."""
        return self._doubt and self.busy and not self.loading

    @property
    def busy(self) -> bool:
        """Whether it is `loading` or `learning`."""
        return self._thread.is_alive()

    @property
    def doubt_fault(self) -> str:
        """Why nothing is doubted, in one line: what `doubt` needs could not be learned."""
        return self._doubt_fault

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all runtimes are ready or have failed and doubt is learned, at most `seconds`."""
        self._thread.join(seconds)

    def read(self, images: NDArray[np.float32]) -> dict[str, Answer]:
        """The answer of each ready runtime to prepared images [n, 1, 28, 28]."""
        answers: dict[str, Answer] = {}
        current = ""

        def receive(content: Content, arrays: Feeds) -> None:
            nonlocal current
            current = content["name"]
            if arrays:
                answers[current] = Answer(arrays["logits"], softmax(arrays["logits"]))
            elif content["fault"]:
                self._fail(current, content["fault"])

        with turns.take(turns.READ), self._handle_crashes(lambda: current):
            content = {"reader": self._key, "names": self.ready}
            if content["names"]:
                shared().run(
                    pool_worker.read, content, {"images": images}, notify=receive, seconds=_READ_SECONDS, lane="read"
                )
        return answers

    def features(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """PyTorch's feature maps after `layer1`, [n, channels, height, width]; None until PyTorch is ready."""
        with turns.take(turns.READ), self._handle_crashes(lambda: PYTORCH.name):
            if PYTORCH.name in self.ready:
                content = {"reader": self._key}
                _, arrays = shared().run(
                    pool_worker.features, content, {"images": images}, seconds=_READ_SECONDS, lane="read"
                )
                return arrays.get("features")
        return None

    def doubt(self, images: NDArray[np.float32], *, learn: bool = False) -> NDArray[np.float32] | None:
        """How little images look like a digit, [n]: above 0 is doubt. None until that is learned, or `learn` it now."""
        with turns.take(turns.READ), self._handle_crashes(lambda: PYTORCH.name):
            if PYTORCH.name in self.ready:
                content = {"reader": self._key, "learn": learn}
                seconds = _OPEN_SECONDS if learn else _READ_SECONDS
                _, arrays = shared().run(pool_worker.doubt, content, {"images": images}, seconds=seconds, lane="read")
                return arrays.get("doubt")
        return None

    def close(self) -> None:
        """Close all runtimes; one that is still opening is closed as soon as it is open."""
        with self._lock:
            self._closed = True
            self._open_in.clear()
        self._close_in_worker()

    def _close_in_worker(self) -> None:
        if shared().pid is not None:
            shared().submit(pool_worker.close, {"reader": self._key}, lane="read")

    def _fail(self, name: str, reason: str) -> None:
        with self._lock:
            self._failed[name] = reason
            self._open_in.pop(name, None)

    @contextlib.contextmanager
    def _handle_crashes(self, running: Callable[[], str]) -> Iterator[None]:
        """If the worker crashes, mark the `running` runtime as failed if it ran alone, and reopen the others."""
        with turns.find_culprit(lambda reason: self._fail(running(), reason)):
            yield
        with self._lock:
            if self.pending and not self._closed and not self._thread.is_alive():
                self._thread = self._opening()

    # -- in the opening thread -------------------------------------------------------------------

    def _opening(self) -> threading.Thread:
        thread = threading.Thread(target=keep(self._open_all), name=f"reader of {self._run.name}", daemon=True)
        thread.start()
        return thread

    def _open_all(self) -> None:
        try:
            if not self._names:
                content = {"run": str(self._run.path)}
                reply, _ = shared().run(pool_worker.names, content, seconds=_OPEN_SECONDS, lane="open")
                self._names = tuple(reply["names"])
            self._open_pending()
            while self._doubt and not self._doubt_fault and not self._closed:
                learned = self._learn()
                self._open_pending()  # if the worker crashed meanwhile
                if learned:
                    break
        except Exception as error:  # an exception in a thread would be lost
            self._fault = error if isinstance(error, ConvNetError) else ConvNetError(one_line(error))

    def _open_pending(self) -> None:
        if self.pending:
            while (pending := sorted(self.pending, key=_import_seconds)) and not self._closed:
                self._open(pending[0])
            shared().submit(pool_worker.settle, {}, lane="open")

    def _learn(self) -> bool:
        """Learn what `doubt` needs; False if the worker crashed while it did something else, too."""
        done = False
        with turns.take(turns.LEARN), turns.find_culprit(self._fail_doubt):
            try:
                content = {"reader": self._key}
                shared().run(pool_worker.learn_doubt, content, seconds=_OPEN_SECONDS, lane="learn")
            except DiedError:
                raise
            except Exception as error:  # the runtimes answer without it
                self._fail_doubt(one_line(error))
            done = True
        return done or bool(self._doubt_fault)

    def _fail_doubt(self, reason: str) -> None:
        self._doubt_fault = reason

    def _open(self, name: str) -> None:
        content = {"run": str(self._run.path), "reader": self._key, "name": name}
        with turns.take(turns.OPEN), turns.find_culprit(lambda reason: self._fail(name, reason)):
            reply, _ = shared().run(pool_worker.open_runtime, content, seconds=_OPEN_SECONDS, lane="open")
            with self._lock:
                if reply["fault"]:
                    self._failed[name] = reply["fault"]
                elif not self._closed:
                    self._open_in[name] = reply["pid"]
        if self._closed:
            self._close_in_worker()


def _import_seconds(name: str) -> float:
    return spec_of(name).import_seconds
