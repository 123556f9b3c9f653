"""The step of a training as one CUDA graph, for `--cuda-graph`.

At these sizes a GPU waits for Python: a step is some sixty kernels of a few microseconds each. Captured once and
replayed, it is one launch. What changes from step to step lies in buffers that stay where they are: the places of the
batch, the learning rate, the random generator's state. Source: PyTorch's documentation, "CUDA Graphs".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from convnet_core.errors import ConfigError, one_line

_WARM = 3
"""Steps that are taken as usual before the capture: libraries choose their kernels and allocate in them."""

Result = tuple[Tensor, Tensor]
Step = Callable[[Tensor, float], Result]
"""Takes the places of a batch and the learning rate; the loss and the number of right answers, on the device."""


class Recorder(Protocol):
    """What records work and does it again: a CUDA graph, or in tests something that only behaves like one."""

    def warm(self, work: Callable[[], Result]) -> Result: ...
    def record(self, work: Callable[[], Result]) -> Result: ...
    def replay(self) -> None: ...


class CudaGraph:
    """A CUDA graph that knows the generator which the work draws from."""

    def __init__(self, generator: torch.Generator) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(generator)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def warm(self, work: Callable[[], Result]) -> Result:
        """Do it as usual, on the stream that it will be recorded on, which PyTorch asks for."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = work()
        current.wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], Result]) -> Result:
        """Record, without doing it; what it gives is there after each `replay`."""
        with torch.cuda.graph(self._graph, stream=self._stream):
            return work()

    def replay(self) -> None:
        """Do it, on the current stream."""
        self._graph.replay()


class GraphedStep:
    """A step that is recorded once for batches of one size, and replayed; batches of another size are stepped as usual.

    `step` takes a batch and does everything but set the learning rate; `set_rate` does that, in place. The tensors of
    a result hold it until the next step. Raises ConfigError where the step cannot be recorded.
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
        if self._warmed < _WARM:
            self._warmed += 1
            return self._recorder.warm(lambda: self._step(batch))
        self._batch.copy_(batch)
        if self._result is None:
            self._result = self._recorded()
        self._recorder.replay()
        return self._result

    def _recorded(self) -> Result:
        try:
            return self._recorder.record(lambda: self._step(self._batch))
        except RuntimeError as error:
            raise ConfigError(
                f"the training's step cannot be recorded as a CUDA graph: {one_line(error)}",
                hint="train without --cuda-graph",
            ) from error
