"""Every runtime behind one small interface.

with LiteRT(path, "litert-fp32") as runtime:
    logits = runtime.infer({"input": images})["logits"]
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from convnet_core.errors import ModelError
from convnet_core.tensors.arrays import Feeds, TensorInfo


class Runtime(abc.ABC):
    """A loaded model: arrays in, arrays out, under the names of the ONNX model.

    `converter` says who made the artefact, None for what no converter touched. One call at a time:
    a LiteRT interpreter is not thread-safe, so each runtime has its lock.
    """

    name: str
    converter: str | None = None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def infer(self, feeds: Feeds, fetch: Sequence[str] | None = None) -> Feeds:
        """Run once. `fetch` names the outputs wanted, all when None. Raises ModelError."""
        missing = [info.name for info in self.inputs if info.name not in feeds]
        if missing:
            raise ModelError(f"{self.name}: no array for the input {missing[0]!r}")
        with self._lock:
            results = self._infer(feeds)
        return results if fetch is None else {name: results[name] for name in fetch}

    def prepared(self, feeds: Feeds) -> Feeds:
        """The same feeds as the artefact itself takes them, so that `infer` has nothing left to do before its call.

        For measuring: whoever uses an artefact with its inputs channels last, or as whole numbers, has them that way.
        """
        return feeds

    @abc.abstractmethod
    def _infer(self, feeds: Feeds) -> Feeds:
        """All outputs by their ONNX names."""

    def close(self) -> None:  # noqa: B027  # most runtimes hold nothing but memory
        """Let go of what the runtime holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
