"""ONNX's node tests as SavedModel and as TFLite, in processes that may die.

python -m benchmarks.node_tests [word ...]

prints how many pass as TFLite and why the others do not; words choose tests whose names hold one of them.
"""

from __future__ import annotations

import collections
import multiprocessing
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import onnx
import onnxruntime

from convnet_core.errors import one_line
from testing import litert
from testing import node_tests as harness

_PATIENCE = 120
"""Seconds that one test may take."""

_FORK = multiprocessing.get_context("fork")  # the child gets the tests, some of them lambdas, without pickling


@dataclass(frozen=True)
class Outcome:
    """Of one test: why it does not pass as SavedModel and as TFLite (float32); empty where it does."""

    saved: str
    lite: str


def outcomes(tests: list[Any], processes: int = 2) -> list[Outcome]:
    """What each test gives, in order."""
    share = -(-len(tests) // processes)
    parts = [tests[start : start + share] for start in range(0, len(tests), share)]
    with ThreadPoolExecutor(processes) as pool:
        return [item for part in pool.map(lambda part: list(_in_child(part)), parts) for item in part]


def _in_child(tests: list[Any]) -> Iterator[Outcome]:
    """The outcomes from a child process, which is replaced when it dies or takes too long."""
    child = None
    for number in range(len(tests)):
        if child is None:
            connection, theirs = _FORK.Pipe()
            child = _FORK.Process(target=_answer, args=(theirs, tests), daemon=True)
            child.start()
            theirs.close()
        connection.send(number)
        try:
            saved = connection.recv() if connection.poll(_PATIENCE) else "no answer in time"
            lite = connection.recv() if connection.poll(_PATIENCE) else "no answer in time"
        except EOFError:
            child.join()
            lite = f"the process dies (exit status {child.exitcode})"
            child = None
        else:
            if "no answer in time" in (saved, lite):
                child.kill()
                child = None
        yield Outcome(saved, lite)
    if child is not None:
        child.kill()


def _answer(connection: Connection, tests: list[Any]) -> None:
    warnings.simplefilter("ignore")
    while True:
        test = tests[connection.recv()]
        for check in (harness.check, check_lite):
            connection.send(_reason(check, test))


def _reason(check: Any, test: Any) -> str:
    try:
        check(test)
    except AssertionError as error:
        return _kind_of_difference(str(error))
    except Exception as error:  # TensorFlow and LiteRT raise many kinds
        return one_line(error) or type(error).__name__
    return ""


def _kind_of_difference(text: str) -> str:
    if text.startswith(("shape", "dtype")):
        return text
    found = re.search(r"Mismatched elements.*|.*nan location mismatch.*|.*inf location mismatch.*", text)
    return f"another answer: {one_line(found[0] if found else text)}"


def check_lite(test: Any) -> None:
    """Raises where LiteRT's answer is not the expected one, or where there is no TFLite file."""
    model, sets = harness.loaded(test)
    if not _is_plain(model):
        raise ValueError("sequences and optional values are no inputs or outputs of a TFLite file")
    run = litert.runner(model)
    for inputs, expected in sets:
        for result, value in zip(run(*inputs), expected, strict=True):
            harness.same(result, np.asarray(value), test.rtol, test.atol)


_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


@dataclass(frozen=True)
class Test:
    """As ONNX's own: a model, and inputs with the outputs that are expected."""

    name: str
    model: onnx.ModelProto
    data_sets: Any
    atol: float
    rtol: float = 1e-4


def own_test(model: onnx.ModelProto) -> Test:
    """A test of a model that ONNX Runtime runs, of inputs that are drawn; random outputs are not compared."""
    draw = np.random.default_rng(0)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {}
    for value in session.get_inputs():
        shape = [size if isinstance(size, int) else 2 for size in value.shape]
        feeds[value.name] = (
            draw.integers(1, 3, shape) if value.type == "tensor(int64)" else draw.standard_normal(shape, np.float32)
        )
    op, sets = model.graph.node[0].op_type, [(list(feeds.values()), session.run(None, feeds))]
    return Test(op, model, sets, atol=np.inf if op in _RANDOM else 1e-6)


def _is_plain(model: onnx.ModelProto) -> bool:
    return all(value.type.HasField("tensor_type") for value in (*model.graph.input, *model.graph.output))


_KINDS = {
    "Invalid tensor size": "LiteRT takes no empty tensor",
    "sequences": "sequences and optional values are no inputs or outputs of a TFLite file",
    "another answer: inf": "TFLite's converter makes an infinite constant the largest finite number",
    "another answer: nan": "NaN where the test has none, or the other way round",
    "another answer": "another number",
    "shape": "another shape",
}
"""What LiteRT and NumPy say, by how it starts, in plain words."""


def kind_of(outcome: Outcome) -> str:
    """Why a test does not pass as TFLite, in few words, the same for all tests of a kind."""
    reason = outcome.lite.removeprefix("TFLite fp32: ")
    if outcome.saved:
        return "not as SavedModel either (see the limits of the operator)"
    if found := re.match("not among LiteRT's built-in ops: (.+)", reason):
        ops = [re.sub(r" \(node.*?\)", "", item) for item in found[1].split("; ")]
        for dtype in ("float64", "string", "uint64", "complex"):
            if any(f" {dtype}" in op for op in ops):
                return f"LiteRT has few kernels of {dtype}"
        return f"LiteRT has no {', '.join(sorted(ops))}"
    if "INT4" in reason or "uint4" in reason:
        return "LiteRT cannot take or give 4-bit integers"
    if found := re.match(r"LiteRT has no tensors of (\w+)", reason):
        return f"LiteRT has no tensors of {found[1]}"
    for start, kind in _KINDS.items():
        if reason.startswith(start):
            return kind
    return re.sub(r"(?<![\w-])\d[\d.]*", "N", re.sub(r" ?\(node.*?\)", "", reason))


def by_kind(tests: Iterable[Any], found: Iterable[Outcome]) -> dict[str, list[str]]:
    """The names of the tests that do not pass as TFLite, by the kind of their reason, the most frequent first."""
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for test, outcome in zip(tests, found, strict=True):
        if outcome.lite:
            kinds[kind_of(outcome)].append(test.name)
    return dict(sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])))


def main() -> None:
    tests = list(harness.node_tests(*sys.argv[1:]))
    found = outcomes(tests)
    for reason, names in by_kind(tests, found).items():
        print(f"{len(names):4} {reason}   e.g. {', '.join(names[:4])}")
    saved, lite = (sum(not getattr(outcome, kind) for outcome in found) for kind in ("saved", "lite"))
    print(f"{saved} of {len(tests)} pass as SavedModel, {lite} as TFLite")


if __name__ == "__main__":
    main()
