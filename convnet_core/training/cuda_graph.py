"""A training step as a CUDA graph, for `--cuda-graph`.

With networks this small the GPU waits for Python: a step is about 60 kernels of a few microseconds each. Captured once
and replayed, it is a single launch. Everything that changes between steps is in buffers with fixed addresses: the
indices of the batch, the learning rate, the random generator's state. Source: PyTorch's documentation, "CUDA Graphs".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from convnet_core.errors import ConfigError, one_line
from convnet_core.language import _

_WARMUP_STEPS = 3
"""Ordinary steps before the capture, in which libraries choose kernels and allocate memory."""

Result = tuple[Tensor, Tensor]
Step = Callable[[Tensor, float], Result]
"""Takes the indices of a batch and the learning rate. Returns the loss and the number of correct answers as tensors."""


class Recorder(Protocol):
    """Records work and replays it: a CUDA graph, or a substitute in tests."""

    def warm(self, work: Callable[[], Result]) -> Result: ...
    def record(self, work: Callable[[], Result]) -> Result: ...
    def replay(self) -> None: ...


class CudaGraph:
    """A CUDA graph, registered with the generator that the work draws random numbers from."""

    def __init__(self, generator: torch.Generator) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(generator)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def warm(self, work: Callable[[], Result]) -> Result:
        """Run the work normally, on the stream that will record it, as PyTorch requires."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = work()
        current.wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], Result]) -> Result:
        """Record the work without running it. Each `replay` updates the returned tensors."""
        with torch.cuda.graph(self._graph, stream=self._stream):
            return work()

    def replay(self) -> None:
        """Run the recorded work on the current stream."""
        self._graph.replay()


class GraphedStep:
    """A step that is recorded once for one batch size and then replayed; batches of another size run normally.

    `step` does everything except setting the learning rate, which `set_rate` does in place. The next step overwrites
    the tensors of a result. Raises ConfigError if the step cannot be recorded.
    """

    def __init__(
        self,
        step: Callable[[Tensor], Result],
        set_rate: Callable[[float], None],
        recorder: Recorder,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self._step, self._set_rate, self._recorder = step, set_rate, recorder
        self._batch = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self._warmed = 0
        self._result: Result | None = None

    def __call__(self, batch: Tensor, rate: float) -> Result:
        self._set_rate(rate)
        if len(batch) != len(self._batch):
            return self._step(batch)
        if self._warmed < _WARMUP_STEPS:
            self._warmed += 1
            return self._recorder.warm(lambda: self._step(batch))
        self._batch.copy_(batch)
        if self._result is None:
            self._result = self._record()
        self._recorder.replay()
        return self._result

    def _record(self) -> Result:
        try:
            return self._recorder.record(lambda: self._step(self._batch))
        except RuntimeError as error:
            raise ConfigError(
                _("the training step cannot be recorded as a CUDA graph: {reason}", reason=one_line(error)),
                hint=_("train without --cuda-graph"),
            ) from error
