"""What the native converter knows of every ONNX operator, by ONNX's own tests: docs/OPERATORS.md.

python -m benchmarks.operators
"""

from __future__ import annotations

import collections
import warnings
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import onnx.defs

from convnet_core.convert.native.read import dtype_name
from convnet_core.convert.native.registry import registered
from convnet_core.files import write_whole
from tests.native import harness
from tests.native.expected_failures import REASONS

PAGE = Path("docs/OPERATORS.md")
DOMAINS = {"": "ai.onnx", "ai.onnx.ml": "ai.onnx.ml", "ai.onnx.preview.training": "ai.onnx.preview.training"}


@dataclass
class Tried:
    """What ONNX's tests say of one operator: the dtypes of the first input, where a test that passed is of it alone."""

    passed: int = 0
    there: int = 0
    dtypes: set[str] = field(default_factory=set)
    limits: set[str] = field(default_factory=set)


def tried() -> tuple[dict[tuple[str, str], Tried], int, int]:
    """By domain and operator; and how many tests passed, of how many."""
    found: dict[tuple[str, str], Tried] = collections.defaultdict(Tried)
    passed = there = 0
    for test in harness.node_tests():
        model, _ = harness.loaded(test)
        good = _passes(test)
        passed, there = passed + good, there + 1
        for key in {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in model.graph.node}:
            entry = found[key]
            entry.there += 1
            entry.passed += good
            if not good:
                entry.limits.add(REASONS.get(test.name, "unexpected: see the suite"))
            elif len(model.graph.node) == 1:
                entry.dtypes.update(_dtypes(model))
    return found, passed, there


def _passes(test: Any) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            harness.check(test)
    except Exception:  # of any kind
        return False
    return True


def _dtypes(model: onnx.ModelProto) -> list[str]:
    """The dtype of the first input, where it is a plain tensor."""
    tensors = [value.type.tensor_type for value in model.graph.input[:1] if value.type.HasField("tensor_type")]
    return [dtype_name(tensor.elem_type) for tensor in tensors]


def versions_of(domain: str, op: str) -> list[int]:
    """All versions of an operator in the installed onnx."""
    schemas = onnx.defs.get_all_schemas_with_history()
    return sorted(schema.since_version for schema in schemas if (schema.domain, schema.name) == (domain, op))


def page() -> str:
    """docs/OPERATORS.md."""
    found, passed, there = tried()
    known = {key: sorted({v for item in items for v in item.versions}) for key, items in registered().items()}
    lines = [
        "# Operators",
        "",
        "What the project's own converter takes. *Versions* are those of the operator that it covers, of those in "
        f"onnx {onnx.__version__}; *tests* are ONNX's node tests that hold the operator, passed of those there; "
        "*dtypes* are those of the first input in the tests of the operator alone that pass (more may work; what "
        "cannot is said by `convert --check`); *limits* are the reasons of the tests that do not.",
        "",
        f"Made by `python -m benchmarks.operators` on {date.today()}: **{passed:,} of {there:,}** of ONNX's node tests "
        "pass. The suite holds the list of the others, with a reason each.",
    ]
    every = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    for domain, title in DOMAINS.items():
        ops = sorted(op for known_domain, op in known if known_domain == domain and (domain, op) in every)
        lines += [
            "",
            f"## {title}: {len(ops)} operators",
            "",
            "| operator | versions | tests | dtypes | limits |",
            "| --- | --- | ---: | --- | --- |",
        ]
        lines += [_row(domain, op, known[domain, op], found[domain, op]) for op in ops]
        missing = sorted(op for other, op in every if other == domain and (domain, op) not in known)
        if missing:
            lines += ["", f"Not there: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _row(domain: str, op: str, covered: list[int], entry: Tried) -> str:
    all_versions = versions_of(domain, op)
    lacking = [version for version in all_versions if version not in covered]
    versions = "all" if not lacking else f"all but {', '.join(map(str, lacking))}"
    limits = "; ".join(sorted(entry.limits))
    return f"| {op} | {versions} | {entry.passed} of {entry.there} | {', '.join(sorted(entry.dtypes))} | {limits} |"


if __name__ == "__main__":
    write_whole(PAGE, page().encode())
