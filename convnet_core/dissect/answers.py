"""The final output of every runtime of a case, as a function of the inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from convnet_core.dissect.active_runtime import active
from convnet_core.dissect.case import Case
from convnet_core.dissect.difference import Answer
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.specs import ONNX_RUNTIME, PYTORCH, SPECS
from convnet_core.tensors.arrays import Array, Feeds, batch_of, sample_count

_PART_SIZE = 256
"""Samples; more take memory and no less time."""


@contextlib.contextmanager
def answer_functions(case: Case, output: str) -> Iterator[dict[str, Answer]]:
    """For the ONNX model, the PyTorch program, and each artifact: the values of one output."""
    runtimes = _open_runtimes(case)
    results: dict[str, Answer] = {name: _answer_of(runtime, name, output) for name, runtime in runtimes.items()}
    if case.program is not None and PYTORCH.name not in case.dead:
        results[PYTORCH.name] = _answer_of_program(case)
    try:
        yield results
    finally:
        for runtime in runtimes.values():
            runtime.close()


def answer_in_parts(answer: Answer, feeds: Feeds, names: frozenset[str]) -> Array:
    """The output for many samples, computed in parts."""
    count = sample_count(feeds, names)
    parts = [answer(batch_of(feeds, start, start + _PART_SIZE, names)) for start in range(0, count, _PART_SIZE)]
    return np.concatenate(parts)


def answer_in_fixed_batches(answer: Answer, size: int, names: frozenset[str]) -> Answer:
    """Accept any number of samples for a model with a fixed batch; the last batch is padded with the last sample."""

    def answer_all(feeds: Feeds) -> Array:
        count = sample_count(feeds, names)
        parts = []
        for start in range(0, count, size):
            used = min(size, count - start)
            batch = batch_of(feeds, start, start + used, names)
            full = {
                name: np.concatenate([array, np.repeat(array[-1:], size - used, 0)]) if name in names else array
                for name, array in batch.items()
            }
            parts.append(answer(full)[:used])
        return np.concatenate(parts)

    return answer_all


def _open_runtimes(case: Case) -> dict[str, Runtime]:
    paths = {ONNX_RUNTIME: case.path}
    if case.folder is not None:
        converted = {spec: case.folder / spec.file for spec in SPECS if spec.stage == "convert"}
        paths |= {spec: path for spec, path in converted.items() if path.exists()}
    results = {}
    for spec, path in paths.items():
        if spec.name not in case.dead:
            with active(spec.name):
                results[spec.name] = spec.open(path, case.converter, 1)
    return results


def _answer_of(runtime: Runtime, name: str, output: str) -> Answer:
    def answer(feeds: Feeds) -> Array:
        with active(name):
            return runtime.infer(feeds, [output])[output]

    return answer


def _answer_of_program(case: Case) -> Answer:
    assert case.program is not None
    module: Any = case.program.module()
    names = [value.name for value in case.model.graph.input]

    def answer(feeds: Feeds) -> Array:
        with active(PYTORCH.name), torch.inference_mode():
            outputs = module(*(torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in names))
        first = next(item for item in torch.utils._pytree.tree_leaves(outputs) if isinstance(item, torch.Tensor))
        return np.asarray(first.numpy())

    return answer
