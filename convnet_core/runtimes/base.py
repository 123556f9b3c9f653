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
from convnet_core.language import _
from convnet_core.tensors.arrays import Feeds, TensorInfo


class Runtime(abc.ABC):
    """A loaded model: arrays in, arrays out, under the names of the ONNX model.

    `converter` names the converter that wrote the artifact, None for an export. A lock allows one call at a time,
    because a LiteRT interpreter is not thread-safe.
    """

    name: str
    converter: str | None = None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def infer(self, feeds: Feeds, fetch: Sequence[str] | None = None) -> Feeds:
        """Run once. `fetch` names the outputs to return, None for all. Raises ModelError."""
        missing = [info.name for info in self.inputs if info.name not in feeds]
        if missing:
            raise ModelError(_("{runtime}: no array for the input {input!r}", runtime=self.name, input=missing[0]))
        with self._lock:
            results = self._infer(feeds)
        return results if fetch is None else {name: results[name] for name in fetch}

    def prepared(self, feeds: Feeds) -> Feeds:
        """The feeds in the artifact's own layout and dtypes, so that `infer` has no conversion left to do.

        For benchmarks: people who use an artifact directly have inputs channels last or as integers already.
        """
        return feeds

    @abc.abstractmethod
    def _infer(self, feeds: Feeds) -> Feeds:
        """All outputs by their ONNX names."""

    def close(self) -> None:  # noqa: B027  # most runtimes need no cleanup
        """Release the runtime's resources."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
