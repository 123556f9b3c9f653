"""What the native converter knows of every ONNX operator, by ONNX's own tests: docs/OPERATORS.md.

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
from benchmarks.node_tests import Outcome, by_kind, kind_of, outcomes, own_test
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
class Tried:
    """What ONNX's tests say of one operator: the dtypes of the first input, where a test that passed is of it alone.

    `alone` and `lite` are the tests of the operator alone, and those of them that pass as TFLite; of all its tests,
    where none is of it alone. `lacks` is why the others do not.
    """

    passed: int = 0
    there: int = 0
    dtypes: set[str] = field(default_factory=set)
    limits: set[str] = field(default_factory=set)
    alone: int = 0
    lite: int = 0
    lacks: set[str] = field(default_factory=set)


Key = tuple[str, str]
"""A domain and an operator."""


def tried(tests: list[Any], found: list[Outcome]) -> dict[Key, Tried]:
    """By domain and operator."""
    entries: dict[Key, Tried] = collections.defaultdict(Tried)
    mixed: dict[Key, list[Outcome]] = collections.defaultdict(list)
    for test, outcome in zip(tests, found, strict=True):
        model, _ = harness.loaded(test)
        alone = len(model.graph.node) == 1
        for key in {("" if node.domain == "ai.onnx" else node.domain, node.op_type) for node in model.graph.node}:
            entry = entries[key]
            entry.there += 1
            entry.passed += not outcome.saved
            if outcome.saved:
                entry.limits.add(REASONS.get(test.name, "unexpected: see the suite"))
            elif alone:
                entry.dtypes.update(_dtypes(model))
            if alone:
                _add_lite(entry, outcome)
            else:
                mixed[key].append(outcome)
    for key, others in mixed.items():
        if not entries[key].alone:
            for outcome in others:
                _add_lite(entries[key], outcome)
    return entries


def _add_lite(entry: Tried, outcome: Outcome) -> None:
    if not outcome.saved:  # what TensorFlow cannot do either is among the other limits
        entry.alone += 1
        entry.lite += not outcome.lite
        if outcome.lite:
            entry.lacks.add(kind_of(outcome))


def _add_own(entries: dict[Key, Tried]) -> None:
    """Operators that no test of ONNX's holds, by models of our own: whether LiteRT gives what the SavedModel gives."""
    tests = {key: own_test(model) for key, model in models().items()}
    for key, outcome in zip(tests, outcomes(list(tests.values())), strict=True):
        _add_lite(entries[key], outcome)


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
    tests = list(harness.node_tests())
    every_outcome = outcomes(tests)
    found = tried(tests, every_outcome)
    _add_own(found)
    passed, lite = (sum(not getattr(item, kind) for item in every_outcome) for kind in ("saved", "lite"))
    known = {key: sorted({v for item in items for v in item.versions}) for key, items in all_handlers().items()}
    lines = [
        "# Operators",
        "",
        "What the project's own converter takes. *Versions* are those of the operator that it covers, of those in "
        f"onnx {onnx.__version__}; *tests* are ONNX's node tests that hold the operator, passed of those there; "
        "*dtypes* are those of the first input in the tests of the operator alone that pass (more may work; what "
        "cannot is said by `convert --check`); *limits* are the reasons of the tests that do not. *LiteRT* says "
        "whether the float32 TFLite file gives the same in plain LiteRT, by the tests of the operator alone where "
        "there are such, else by all that hold it (by a model of our own where ONNX has no test), and why not.",
        "",
        f"Made by `python -m benchmarks.operators` on {date.today()}: **{passed:,} of {len(tests):,}** of ONNX's node "
        f"tests pass as SavedModel, **{lite:,}** as TFLite; tests that draw random numbers are left out. The suite "
        "holds the list of those that do not pass as SavedModel, with a reason each.",
    ]
    every = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    for domain, title in DOMAINS.items():
        ops = sorted(op for known_domain, op in known if known_domain == domain and (domain, op) in every)
        lines += [
            "",
            f"## {title}: {len(ops)} operators",
            "",
            "| operator | versions | tests | dtypes | limits | LiteRT |",
            "| --- | --- | ---: | --- | --- | --- |",
        ]
        lines += [_row(domain, op, known[domain, op], found[domain, op]) for op in ops]
        missing = sorted(op for other, op in every if other == domain and (domain, op) not in known)
        if missing:
            lines += ["", f"Not there: {', '.join(missing)}."]
    lines += [
        "",
        "## Node tests that do not pass as TFLite",
        "",
        "| tests | why | among them |",
        "| ---: | --- | --- |",
    ]
    for reason, names in by_kind(tests, every_outcome).items():
        shown = ", ".join(name.removeprefix("test_") for name in names[:3])
        lines.append(f"| {len(names)} | {reason} | {shown} |")
    return "\n".join([*lines, *contrib()]) + "\n"


def contrib() -> list[str]:
    """The section about com.microsoft, which has no node tests: the suite compares with ONNX Runtime's own kernels."""
    handled = all_handlers()
    names = sorted(op for domain, op in OPERATORS if domain == DOMAIN)
    kinds = {op: "a handler" if (DOMAIN, op) in handled else "written out as operators of ONNX" for op in names}
    entries: dict[str, Tried] = collections.defaultdict(Tried)
    tests = contrib_tests()
    for (op, _), outcome in zip(tests, outcomes([test for _, test in tests]), strict=True):
        _add_lite(entries[op], outcome)
    return [
        "",
        f"## {DOMAIN}: {len(names)} operators",
        "",
        "Those that ONNX Runtime's optimizer and quantizer write. `tests/convert/native/test_contrib_*.py` compare "
        "each with ONNX Runtime's own kernel; NhwcConv, NhwcFusedConv and QLinearReduceMean have none on a CPU, and "
        "are compared with what they stand for. SimplifiedLayerNormalization and LayerNormalization before opset 17, "
        "which it writes into ONNX's own domain, convert, too.",
        "",
        "| operator | how | LiteRT |",
        "| --- | --- | --- |",
        *(f"| {op} | {kind} | {_lite(entries[op])} |" for op, kind in kinds.items()),
    ]


def _row(domain: str, op: str, covered: list[int], entry: Tried) -> str:
    all_versions = versions_of(domain, op)
    lacking = [version for version in all_versions if version not in covered]
    versions = "all" if not lacking else f"all but {', '.join(map(str, lacking))}"
    limits = "; ".join(sorted(entry.limits))
    dtypes = ", ".join(sorted(entry.dtypes))
    return f"| {op} | {versions} | {entry.passed} of {entry.there} | {dtypes} | {limits} | {_lite(entry)} |"


def _lite(entry: Tried) -> str:
    why = f": {'; '.join(sorted(entry.lacks))}" if entry.lacks else ""
    if not entry.alone:
        return "no test"
    return "runs" if entry.lite == entry.alone else f"{f'{entry.lite} of {entry.alone}' if entry.lite else 'no'}{why}"


if __name__ == "__main__":
    write_atomic(PAGE, page().encode())
