"""The native converter's coverage of every ONNX operator, measured by ONNX's own tests: docs/OPERATORS.md.

python -m benchmarks.operators
"""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import onnx.defs

from benchmarks.contrib_tests import contrib_tests
from benchmarks.node_tests import Outcome, by_kind, kind_of, outcomes, random_test
from benchmarks.operator_models import models
from convnet_core.common.files import write_atomic
from convnet_core.convert.native.registry import all_handlers
from convnet_core.onnx_files.contrib import DOMAIN, OPERATORS
from convnet_core.onnx_files.tensor_types import dtype_name
from testing import node_tests as harness
from testing.expected_failures import REASONS

PAGE = Path("docs/OPERATORS.md")
DOMAINS = {"": "ai.onnx", "ai.onnx.ml": "ai.onnx.ml", "ai.onnx.preview.training": "ai.onnx.preview.training"}


@dataclass
class Coverage:
    """ONNX's tests of one operator: how many pass, and the dtypes of the first input in passing single-node tests.

    `lite_tests` and `lite` count the single-node tests and those that pass as TFLite; if an operator has no single-node
    tests, all its tests. `lite_limits` are the reasons of those that fail.
    """

    passed: int = 0
    total: int = 0
    dtypes: set[str] = field(default_factory=set)
    limits: set[str] = field(default_factory=set)
    lite_tests: int = 0
    lite: int = 0
    lite_limits: set[str] = field(default_factory=set)


Key = tuple[str, str]
"""A domain and an operator."""


def coverage(tests: list[Any], results: list[Outcome]) -> dict[Key, Coverage]:
    """The coverage by domain and operator."""
    entries: dict[Key, Coverage] = collections.defaultdict(Coverage)
    mixed: dict[Key, list[Outcome]] = collections.defaultdict(list)
    for test, outcome in zip(tests, results, strict=True):
        model, _ = harness.load_test(test)
        single = len(model.graph.node) == 1
        for key in {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in model.graph.node}:
            entry = entries[key]
            entry.total += 1
            entry.passed += not outcome.saved
            if outcome.saved:
                entry.limits.add(REASONS.get(test.name, "unexpected: see the suite"))
            elif single:
                entry.dtypes.update(_dtypes(model))
            if single:
                _add_lite(entry, outcome)
            else:
                mixed[key].append(outcome)
    for key, others in mixed.items():
        if not entries[key].lite_tests:
            for outcome in others:
                _add_lite(entries[key], outcome)
    return entries


def _add_lite(entry: Coverage, outcome: Outcome) -> None:
    if not outcome.saved:  # failures of the SavedModel are already in `limits`
        entry.lite_tests += 1
        entry.lite += not outcome.lite
        if outcome.lite:
            entry.lite_limits.add(kind_of(outcome))


def _add_our_models(entries: dict[Key, Coverage]) -> None:
    """Add the TFLite results of our own models, for operators without an ONNX test."""
    tests = {key: random_test(model) for key, model in models().items()}
    for key, outcome in zip(tests, outcomes(list(tests.values())), strict=True):
        _add_lite(entries[key], outcome)


def _dtypes(model: onnx.ModelProto) -> list[str]:
    """The dtype of the first input, if it is a tensor."""
    tensors = [value.type.tensor_type for value in model.graph.input[:1] if value.type.HasField("tensor_type")]
    return [dtype_name(tensor.elem_type) for tensor in tensors]


def versions_of(domain: str, op: str) -> list[int]:
    """All versions of an operator in the installed onnx."""
    schemas = onnx.defs.get_all_schemas_with_history()
    return sorted(schema.since_version for schema in schemas if (schema.domain, schema.name) == (domain, op))


def page() -> str:
    """docs/OPERATORS.md."""
    tests = list(harness.node_tests())
    every_outcome = outcomes(tests)
    entries = coverage(tests, every_outcome)
    _add_our_models(entries)
    passed, lite = (sum(not getattr(item, kind) for item in every_outcome) for kind in ("saved", "lite"))
    covered = {key: sorted({v for item in items for v in item.versions}) for key, items in all_handlers().items()}
    lines = [
        "# Operators",
        "",
        "What the project's own converter supports. *Versions* are the operator versions it covers, of those in "
        f"onnx {onnx.__version__}; *tests* is the number of ONNX node tests with the operator that pass; *dtypes* are "
        "those of the first input in passing single-node tests (others may work; `convert --check` reports those that "
        "do not); *limits* are the reasons why tests fail. *LiteRT* says whether the float32 TFLite file gives the "
        "same result in plain LiteRT, and if not, why: judged by the single-node tests if there are any, otherwise by "
        "all tests with the operator, or by a model of ours if ONNX has no test.",
        "",
        f"Generated by `python -m benchmarks.operators` on {date.today()}: **{passed:,} of {len(tests):,}** of ONNX's "
        f"node tests pass as SavedModel, **{lite:,}** as TFLite; tests that draw random numbers are skipped. "
        "`testing/expected_failures.py` lists those that fail as SavedModel, each with its reason.",
    ]
    every = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    for domain, title in DOMAINS.items():
        ops = sorted(op for covered_domain, op in covered if covered_domain == domain and (domain, op) in every)
        lines += [
            "",
            f"## {title}: {len(ops)} operators",
            "",
            "| operator | versions | tests | dtypes | limits | LiteRT |",
            "| --- | --- | ---: | --- | --- | --- |",
        ]
        lines += [_row(domain, op, covered[domain, op], entries[domain, op]) for op in ops]
        missing = sorted(op for other, op in every if other == domain and (domain, op) not in covered)
        if missing:
            lines += ["", f"Not supported: {', '.join(missing)}."]
    lines += [
        "",
        "## Node tests that fail as TFLite",
        "",
        "| tests | reason | examples |",
        "| ---: | --- | --- |",
    ]
    for reason, names in by_kind(tests, every_outcome).items():
        shown = ", ".join(name.removeprefix("test_") for name in names[:3])
        lines.append(f"| {len(names)} | {reason} | {shown} |")
    return "\n".join([*lines, *contrib()]) + "\n"


def contrib() -> list[str]:
    """The section about com.microsoft. It has no node tests; the suite compares with ONNX Runtime's own kernels."""
    handled = all_handlers()
    names = sorted(op for domain, op in OPERATORS if domain == DOMAIN)
    kinds = {op: "a handler" if (DOMAIN, op) in handled else "rewritten as ONNX operators" for op in names}
    entries: dict[str, Coverage] = collections.defaultdict(Coverage)
    tests = contrib_tests()
    for (op, _), outcome in zip(tests, outcomes([test for _, test in tests]), strict=True):
        _add_lite(entries[op], outcome)
    return [
        "",
        f"## {DOMAIN}: {len(names)} operators",
        "",
        "These are the operators that ONNX Runtime's optimizer and quantizer write. "
        "`tests/convert/native/test_contrib_*.py` compares each with ONNX Runtime's kernel; NhwcConv, NhwcFusedConv "
        "and QLinearReduceMean have none on a CPU and are compared with the operators they replace. "
        "SimplifiedLayerNormalization, and LayerNormalization before opset 17, which ONNX Runtime writes into ONNX's "
        "own domain, are supported too.",
        "",
        "| operator | how | LiteRT |",
        "| --- | --- | --- |",
        *(f"| {op} | {kind} | {_lite(entries[op])} |" for op, kind in kinds.items()),
    ]


def _row(domain: str, op: str, covered: list[int], entry: Coverage) -> str:
    all_versions = versions_of(domain, op)
    missing = [version for version in all_versions if version not in covered]
    versions = "all" if not missing else f"all but {', '.join(map(str, missing))}"
    limits = "; ".join(sorted(entry.limits))
    dtypes = ", ".join(sorted(entry.dtypes))
    return f"| {op} | {versions} | {entry.passed} of {entry.total} | {dtypes} | {limits} | {_lite(entry)} |"


def _lite(entry: Coverage) -> str:
    why = f": {'; '.join(sorted(entry.lite_limits))}" if entry.lite_limits else ""
    if not entry.lite_tests:
        return "no test"
    return (
        "runs"
        if entry.lite == entry.lite_tests
        else f"{f'{entry.lite} of {entry.lite_tests}' if entry.lite else 'no'}{why}"
    )


if __name__ == "__main__":
    write_atomic(PAGE, page().encode())
