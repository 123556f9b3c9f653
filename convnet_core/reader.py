"""All runtimes of a run, opened in the background and kept warm, for who has to answer at once.

Imports neither torch nor TensorFlow: the background thread does, when a Reader is made.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from convnet_core.errors import ConvNetError, RunError, one_line
from convnet_core.files import digest
from convnet_core.memory import collecting_less_often
from convnet_core.runs import CONVERT_STAGES, Run

if TYPE_CHECKING:
    from convnet_core.runtimes import Runtime, Source

Logits = NDArray[np.float32]
Probabilities = NDArray[np.float64]
_Made = TypeVar("_Made")

_FAST_FIRST = ("onnxruntime", "litert", "pytorch", "tensorflow")  # by how long their libraries take to import
_OPENING = threading.Lock()
"""One runtime is opened at a time in the whole process: two imports of one library at once gain nothing."""


def softmax(logits: Logits) -> Probabilities:
    """Probabilities of logits [..., classes], in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Answer:
    """What a runtime says of n images: logits float32 and probabilities float64, both [n, classes]."""

    logits: Logits
    probabilities: Probabilities

    @property
    def labels(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 [n]."""
        return np.asarray(self.logits.argmax(axis=1))


@dataclass(frozen=True)
class Difference:
    """Where runtimes are furthest apart: by how much, in which class, and which runtimes these are."""

    value: float
    label: int
    higher: str
    lower: str


def largest_difference(values: Mapping[str, NDArray[np.float32] | Probabilities]) -> Difference | None:
    """The largest difference between any two runtimes' values [n, classes]; None with fewer than two of them."""
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
    """The runtimes that read each label, the label that most of them read first."""
    found: dict[int, list[str]] = {}
    for name, label in labels.items():
        found.setdefault(label, []).append(name)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def fingerprint(run: Run) -> str:
    """A text that changes when any file that the runtimes read does."""
    found = []
    for stage in ("export", *CONVERT_STAGES):
        try:
            record = run.record(stage)
        except RunError as error:
            record = None
            found.append(str(error))
        for name in record.outputs if record else ():
            path = run.path / stage / name
            found.append(f"{stage}/{name} {digest(path) if path.is_file() else 'gone'}")
    return "\n".join(found)


class Reader:
    """Opens every runtime of a run in a thread of its own, the fast ones first, and reads with those that are ready.

    Each is warmed with one inference before it counts as ready. What fails stays in `failed` with its reason, and
    the others go on. All methods may be called from any thread.

    The reading itself is done in one thread: libraries keep something for every thread that ever called them
    (TensorFlow 2.21 its FunctionCallOptions, for ever), and each rerun of a page is a thread of its own.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.RLock()
        self._names: tuple[str, ...] = ()
        self._runtimes: dict[str, Runtime] = {}
        self._failed: dict[str, str] = {}
        self._fault: ConvNetError | None = None
        self._closed = False
        self._hand = ThreadPoolExecutor(1, f"hand of {run.name}")
        self._thread = threading.Thread(target=self._open_all, name=f"reader of {run.name}", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> tuple[str, ...]:
        """The runtimes that answer, PyTorch first."""
        with self._lock:
            return tuple(name for name in self._names if name in self._runtimes)

    @property
    def pending(self) -> tuple[str, ...]:
        """The runtimes that are still to be opened; empty, too, until it is known which there are."""
        with self._lock:
            return tuple(name for name in self._names if name not in self._runtimes and name not in self._failed)

    @property
    def failed(self) -> dict[str, str]:
        """Why a runtime does not answer, in one line each."""
        with self._lock:
            return dict(self._failed)

    @property
    def names(self) -> tuple[str, ...]:
        """All runtimes of the run, PyTorch first; empty until it is known which there are."""
        return self._names

    @property
    def fault(self) -> ConvNetError | None:
        """Why there are no runtimes at all."""
        return self._fault

    @property
    def loading(self) -> bool:
        """Whether more will become ready."""
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Until all runtimes are ready or have failed, or for some seconds."""
        self._thread.join(seconds)

    def read(self, images: NDArray[np.float32]) -> dict[str, Answer]:
        """What each runtime that is ready says of prepared images [n, 1, 28, 28]."""
        return self._by_hand(lambda: self._read(images)) or {}

    def features(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """PyTorch's feature maps after `layer1`, [n, channels, height, width]; None until PyTorch is ready."""
        return self._by_hand(lambda: self._features(images))

    def close(self) -> None:
        """Let go of all runtimes; one that is being opened is closed as soon as it is open."""
        with self._lock:
            self._closed = True
            self._hand.shutdown(wait=False)
            for runtime in self._runtimes.values():
                runtime.close()
            self._runtimes.clear()

    # -- in the thread that reads -------------------------------------------------------------------

    def _by_hand(self, work: Callable[[], _Made]) -> _Made | None:
        """Do something in that thread; None where the reader is closed."""
        with self._lock:
            if self._closed:
                return None
            done = self._hand.submit(work)
        return done.result()

    def _read(self, images: NDArray[np.float32]) -> dict[str, Answer]:
        answers = {}
        with self._lock:
            for name in self.ready:
                runtime = self._runtimes[name]
                try:
                    logits = runtime.infer({runtime.inputs[0].name: images})[runtime.outputs[0].name]
                except Exception as error:  # each runtime has kinds of its own
                    self._failed[name] = one_line(error)
                    self._runtimes.pop(name).close()
                else:
                    answers[name] = Answer(logits, softmax(logits))
        return answers

    def _features(self, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
        with self._lock:
            runtime = self._runtimes.get("pytorch")
            if runtime is None:
                return None
            from convnet_core.runtimes.pytorch import PyTorch

            assert isinstance(runtime, PyTorch)
            return runtime.features({runtime.inputs[0].name: images})

    # -- in the thread that opens -------------------------------------------------------------------

    def _open_all(self) -> None:
        try:
            from convnet_core.runtimes import sources

            found = sources(self._run)
        except Exception as error:  # what a thread raises, nobody would hear
            self._fault = error if isinstance(error, ConvNetError) else ConvNetError(one_line(error))
            return
        self._names = tuple(source.name for source in found)
        for source in sorted(found, key=_rank):
            with _OPENING, collecting_less_often():
                if self._closed:
                    return
                self._open(source)
        with _OPENING:
            _leave_keras_alone()
            _spare_the_collector()

    def _open(self, source: Source) -> None:
        try:
            if source.name == "pytorch":
                _one_thread_for_torch()
            runtime = source.open()
            _warm(runtime)
        except Exception as error:  # a library that is missing, a file that is damaged: the others go on
            with self._lock:
                self._failed[source.name] = one_line(error)
            return
        with self._lock:
            if self._closed:
                runtime.close()
            else:
                self._runtimes[source.name] = runtime


def _rank(source: Source) -> int:
    return next(place for place, start in enumerate(_FAST_FIRST) if source.name.rpartition("/")[2].startswith(start))


def _one_thread_for_torch() -> None:
    """Torch's threads belong to the process. Set before a runtime notes them, they stay 1 when it is closed."""
    import torch

    torch.set_num_threads(1)


def _spare_the_collector() -> None:
    """Garbage collection passes over what is there now: 300,000 objects of the libraries, 0.3 s at each collection."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _leave_keras_alone() -> None:
    """Streamlit 1.67 ends every rerun of any page with `keras.backend.clear_session()` once TensorFlow has brought
    Keras: that collects garbage, empties TensorFlow's kernel caches, and leaves a default graph behind for each thread.
    Nothing here is a Keras model, so there is nothing to clear.
    """
    if keras := sys.modules.get("keras"):
        cast(Any, keras).backend.clear_session = lambda **_: None


def _warm(runtime: Runtime) -> None:
    """The first inference plans and allocates; take that before anybody waits for it."""
    runtime.infer({info.name: np.zeros([size or 1 for size in info.shape], info.dtype) for info in runtime.inputs})
