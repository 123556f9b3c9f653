"""The report of a dissection, and what to show of it.

Light: nothing here imports torch, TensorFlow or a runtime.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from convnet_core.common.dataclass_json import to_json_numbers
from convnet_core.common.formatting import capitalized, join_clauses, list_words
from convnet_core.config.stages import DissectConfig
from convnet_core.convert.node_map_file import NodeMap, NodeMapEntry
from convnet_core.dissect.difference import is_float32
from convnet_core.dissect.lesson_stories import STORIES
from convnet_core.dissect.measurements import NodeError, NodeResult
from convnet_core.dissect.report.report_file import DissectionReport, Fusions, Transpose
from convnet_core.dissect.report.weight_layouts import dimension_letters, shapes_text
from convnet_core.language import _, plural
from convnet_core.runs.stage_folders import LESSON_STAGES

if TYPE_CHECKING:
    from convnet_core.dissect.dissection import Dissection

STAGE, FILE, WORST = "dissect", "dissection.json", "worst_inputs.npz"
"""The stage and the file of a dissection, and the file of the worst inputs."""

FORMULA = "W' = W · γ / √(σ² + ε),  b' = (b − μ) · γ / √(σ² + ε) + β"
"""How a BatchNorm is folded into the weights of a convolution."""


def stage_of(lesson: str) -> str:
    """The stage of a lesson, or of the run itself for "none". Each has its own folder."""
    return STAGE if lesson == "none" else f"{LESSON_STAGES}/{lesson}"


def title_of(run: str, lesson: str) -> str:
    """The title of a dissection; `run` is the run's title."""
    return run if lesson == "none" else _("Lesson: {lesson}, on a copy of {run}", lesson=lesson, run=run)


def lesson_note(report: DissectionReport) -> str:
    """A warning for readers of a lesson; empty for a dissection of the run itself."""
    lesson = report.config.lesson
    if lesson == "none":
        return ""
    return _(
        "Lesson: {fault}, in a copy of the run. The run itself is unchanged and does not have this fault.",
        fault=_(STORIES[lesson].fault),
    )


def report_of(dissection: Dissection, title: str, config: DissectConfig) -> DissectionReport:
    """The report of a dissection, without images of samples and of graphs."""
    late = after_moved_transposes(dissection.entries)
    return DissectionReport(
        title=title,
        config=config,
        runtimes=tuple(dissection.runtimes),
        findings=tuple(dissection.findings),
        nodes=tuple(dissection.nodes),
        entries=tuple(dissection.entries),
        litert=tuple(dissection.litert),
        weights=tuple(dissection.weights),
        fusions=Fusions(FORMULA, tuple(dissection.fusions)),
        transposes=tuple(
            Transpose(entry.name, op.name, _purpose(entry.op_type, entry.name in late, op.perm), op.perm)
            for entry in dissection.entries
            for op in entry.ops
            if op.type == "Transpose"
        ),
        labels=dict(dissection.labels),
        sweep=tuple(dissection.sweep),
        worst=tuple(dissection.worst),
    )


def after_moved_transposes(entries: NodeMap) -> set[str]:
    """The nodes after a Transpose of the model that the conversion turned into a layout instead of an op."""
    reordered, results = set[str](), set[str]()  # names of tensors, names of nodes
    for entry in entries:
        moved = entry.op_type == "Transpose" and entry.became == "layout"
        if moved or reordered.intersection(entry.inputs):
            results.add(entry.name)
            for name, tensor in zip(entry.outputs, entry.tensors, strict=True):
                if moved or (tensor.place is not None and tensor.place.perm):
                    reordered.add(name)
    return results


def _purpose(op_type: str, late: bool = False, perm: Sequence[int] = ()) -> str:
    """The purpose of a node's transpose; `late` means that a transpose of the model is still pending before it."""
    if op_type == "Transpose":
        return _("the model's own")
    if perm and perm[0] and dimension_letters(op_type, len(perm)):  # a transpose of images keeps the first dimension
        return _("the kernel of {op}", op=op_type)
    if late:
        return _("the model's own and what {op} needs", op=op_type)
    return _("the layout that {op} needs", op=op_type)


def headline(report: DissectionReport) -> str:
    """The first finding in one sentence, or that there is none."""
    if report.findings:
        return report.findings[0].text.rstrip(".。")
    return _(
        "{nodes} compared in {runtimes}, nothing wrong",
        nodes=plural("{count} node", "{count} nodes", len(report.nodes)),
        runtimes=plural("{count} runtime", "{count} runtimes", len(report.runtimes)),
    )


def summary(report: DissectionReport, most: int = 5) -> dict[str, Any]:
    """What a comparison's report shows of a dissection: headline, findings, and the largest float32 errors."""
    worst = sorted(_float32_errors(report), key=lambda item: -item[2].whole.relative)[:most]
    lines = [
        {
            "runtime": runtime,
            "node": node.name,
            "op": node.op,
            "error": error.whole.relative,
            "adds": error.own,
            "multiple": error.multiple,
        }
        for node, runtime, error in worst
    ]
    return {
        "converter": report.config.converter,
        "headline": headline(report),
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "nodes": to_json_numbers(lines),
    }


def errors(report: DissectionReport) -> dict[str, float]:
    """The largest error of a float32 runtime at each node, as a share of the range."""
    results: dict[str, float] = {}
    for node, _runtime, error in _float32_errors(report):
        results[node.name] = max(error.whole.relative, results.get(node.name, 0.0))
    return results


def _float32_errors(report: DissectionReport) -> Iterator[tuple[NodeResult, str, NodeError]]:
    """Each output of a node with each float32 runtime and its error."""
    for node in report.nodes:
        for runtime, error in node.runtimes.items():
            if is_float32(runtime):
                yield node, runtime, error


def transposes(report: DissectionReport) -> str:
    """How many transposes the converted files contain, and why."""
    counted = [("TensorFlow", report.transposes)] if report.entries else []
    counted += [("LiteRT", litert_transposes(report))] if report.litert else []
    texts = [_count_transposes(where, items) for where, items in counted]
    return capitalized(join_clauses(texts) if texts else _("nothing was converted"))


def _count_transposes(where: str, items: Sequence[Transpose]) -> str:
    if not items:
        return _("no transposes in {where}", where=where)
    counts = Counter(item.what for item in items)
    purposes = list_words(_("{count} for {purpose}", count=count, purpose=what) for what, count in counts.items())
    return plural(
        "{count} transpose in {where}: {purposes}",
        "{count} transposes in {where}: {purposes}",
        len(items),
        where=where,
        purposes=purposes,
    )


def litert_transposes(report: DissectionReport) -> tuple[Transpose, ...]:
    """The transposes of the TFLite file; the op includes its shapes."""
    op_types, late = report.op_types, after_moved_transposes(report.entries)
    results = []
    for op in report.litert:
        if op.type == "TRANSPOSE":
            name = op.nodes[-1] if op.nodes else ""
            purpose = _purpose(op_types.get(name, "model"), name in late)
            results.append(Transpose(name, f"{op.type} {shapes_text(op.shapes)}", purpose))
    return tuple(results)


def rows(report: DissectionReport) -> list[dict[str, Any]]:
    """A row per node: what it became, and the error of each runtime as a share of the range."""
    entries = {entry.name: entry for entry in report.entries}
    lines = []
    for node in report.nodes:
        entry = entries.get(node.name)
        line: dict[str, Any] = {
            "node": node.name,
            "ONNX": node.op,
            "TensorFlow": "" if entry is None else ", ".join(op.type for op in entry.ops) or instead_of_ops(entry),
            "LiteRT": ", ".join(op.type for op in report.litert if node.name in op.nodes),
            "noise": node.noise,
        }
        for runtime in report.runtimes[1:]:
            error = node.runtimes.get(runtime)
            line[runtime] = error.whole.relative if error else None
            line[f"{runtime} adds"] = error.own if error else None
        lines.append(line)
    return lines


def instead_of_ops(entry: NodeMapEntry) -> str:
    """What a node without an op became."""
    texts = {
        "constant": _("(computed while converting)"),
        "layout": _("(an order of dimensions)"),
        "part": _("(a part of {node})", node=entry.of),
    }
    return texts.get(entry.became, "")
