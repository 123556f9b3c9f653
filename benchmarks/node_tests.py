"""Run ONNX's node tests as SavedModel and TFLite, in child processes that may crash.

python -m benchmarks.node_tests [word ...]

prints how many pass as TFLite and why the rest fail; words select tests whose name contains one of them.
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

_TIMEOUT = 120
"""Time limit of one test in seconds."""

_FORK = multiprocessing.get_context("fork")  # the child inherits the tests, some of them lambdas, without pickling


@dataclass(frozen=True)
class Outcome:
    """Why a test fails as SavedModel and as TFLite (float32); empty if it passes."""

    saved: str
    lite: str


def outcomes(tests: list[Any], processes: int = 2) -> list[Outcome]:
    """The outcome of each test, in order."""
    share = -(-len(tests) // processes)
    parts = [tests[start : start + share] for start in range(0, len(tests), share)]
    with ThreadPoolExecutor(processes) as pool:
        return [item for part in pool.map(lambda part: list(_in_child(part)), parts) for item in part]


def _in_child(tests: list[Any]) -> Iterator[Outcome]:
    """Run tests in a child process, which is replaced when it dies or takes too long."""
    child = None
    for number in range(len(tests)):
        if child is None:
            connection, child_end = _FORK.Pipe()
            child = _FORK.Process(target=_serve, args=(child_end, tests), daemon=True)
            child.start()
            child_end.close()
        connection.send(number)
        try:
            saved = connection.recv() if connection.poll(_TIMEOUT) else "no answer in time"
            lite = connection.recv() if connection.poll(_TIMEOUT) else "no answer in time"
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


def _serve(connection: Connection, tests: list[Any]) -> None:
    warnings.simplefilter("ignore")
    while True:
        test = tests[connection.recv()]
        for check in (harness.check, check_lite):
            connection.send(_reason(check, test))


def _reason(check: Any, test: Any) -> str:
    try:
        check(test)
    except AssertionError as error:
        return _shorten_difference(str(error))
    except Exception as error:  # TensorFlow and LiteRT raise many kinds
        return one_line(error) or type(error).__name__
    return ""


def _shorten_difference(text: str) -> str:
    if text.startswith(("shape", "dtype")):
        return text
    match = re.search(r"Mismatched elements.*|.*nan location mismatch.*|.*inf location mismatch.*", text)
    line = match[0] if match else text
    return f"wrong answer: {' '.join(line.split())}"


def check_lite(test: Any) -> None:
    """Raise if there is no TFLite file or LiteRT's answer is wrong."""
    model, sets = harness.load_test(test)
    if not _is_plain(model):
        raise ValueError("a TFLite file cannot take or return sequences and optional values")
    run = litert.runner(model)
    for inputs, expected in sets:
        for result, value in zip(run(*inputs), expected, strict=True):
            harness.assert_same(result, np.asarray(value), test.rtol, test.atol)


_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


@dataclass(frozen=True)
class Test:
    """A model, and inputs with expected outputs; the same interface as ONNX's tests."""

    name: str
    model: onnx.ModelProto
    data_sets: Any
    atol: float
    rtol: float = 1e-4


def random_test(model: onnx.ModelProto) -> Test:
    """A test with random inputs and ONNX Runtime's outputs; values of random operators are not compared."""
    rng = np.random.default_rng(0)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {}
    for value in session.get_inputs():
        shape = [size if isinstance(size, int) else 2 for size in value.shape]
        feeds[value.name] = (
            rng.integers(1, 3, shape) if value.type == "tensor(int64)" else rng.standard_normal(shape, np.float32)
        )
    op, sets = model.graph.node[0].op_type, [(list(feeds.values()), session.run(None, feeds))]
    return Test(op, model, sets, atol=np.inf if op in _RANDOM else 1e-6)


def _is_plain(model: onnx.ModelProto) -> bool:
    return all(value.type.HasField("tensor_type") for value in (*model.graph.input, *model.graph.output))


_KINDS = {
    "Invalid tensor size": "LiteRT does not accept empty tensors",
    "sequences": "a TFLite file cannot take or return sequences and optional values",
    "wrong answer: inf": "TFLite's converter replaces an infinite constant with the largest finite number",
    "wrong answer: nan": "NaN in only one of the two outputs",
    "wrong answer": "wrong values",
    "shape": "wrong shape",
}
"""Plain words for messages of LiteRT and NumPy, by how they start."""


def kind_of(outcome: Outcome) -> str:
    """A short reason why a test fails as TFLite, the same for all tests with that cause."""
    reason = outcome.lite.removeprefix("TFLite fp32: ")
    if outcome.saved:
        return "fails as SavedModel too (see the operator's limits)"
    if match := re.match("not among LiteRT's built-in ops: (.+)", reason):
        ops = [re.sub(r" \(node.*?\)", "", item) for item in match[1].split("; ")]
        for dtype in ("float64", "string", "uint64", "complex"):
            if any(f" {dtype}" in op for op in ops):
                return f"LiteRT has few kernels of {dtype}"
        return f"LiteRT has no {', '.join(sorted(ops))}"
    if "INT4" in reason or "uint4" in reason:
        return "LiteRT cannot take or return 4-bit integers"
    if match := re.match(r"LiteRT has no tensors of (\w+)", reason):
        return f"LiteRT has no tensors of {match[1]}"
    for start, kind in _KINDS.items():
        if reason.startswith(start):
            return kind
    return re.sub(r"(?<![\w-])\d[\d.]*", "N", re.sub(r" ?\(node.*?\)", "", reason))


def by_kind(tests: Iterable[Any], results: Iterable[Outcome]) -> dict[str, list[str]]:
    """The names of tests that fail as TFLite, by reason, the most frequent first."""
    kinds: dict[str, list[str]] = collections.defaultdict(list)
    for test, outcome in zip(tests, results, strict=True):
        if outcome.lite:
            kinds[kind_of(outcome)].append(test.name)
    return dict(sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])))


def main() -> None:
    tests = list(harness.node_tests(*sys.argv[1:]))
    results = outcomes(tests)
    for reason, names in by_kind(tests, results).items():
        print(f"{len(names):4} {reason}   e.g. {', '.join(names[:4])}")
    saved, lite = (sum(not getattr(outcome, kind) for outcome in results) for kind in ("saved", "lite"))
    print(f"{saved} of {len(tests)} pass as SavedModel, {lite} as TFLite")


if __name__ == "__main__":
    main()
