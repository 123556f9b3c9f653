"""Everything that a dissection's report shows, as tables. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.dissect.difference import ROUNDING, is_float32
from convnet_core.dissect.measurements import BatchResult, Labels, LiteRTOp
from convnet_core.dissect.report import content, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport

Table = list[dict[str, Any]]

_BARS = "▁▂▃▄▅▆▇█"


def tables(report: DissectionReport) -> dict[str, Table]:
    """The tables by their headings."""
    return {
        "Nodes": content.rows(report),
        "Node map": node_map(report),
        "Values": values(report),
        "Weights": weights(report),
        f"BatchNorms folded into a Conv: {report.fusions.formula}": [
            {"node": item.node, "in": item.where, "ε": item.epsilon, **item.channel, "error": item.error}
            for item in report.fusions.nodes
        ],
        "Transposes": [
            {"where": where, "node": item.node, "op": item.op, "what for": item.what}
            for where, items in (("TensorFlow", report.transposes), ("LiteRT", content.litert_transposes(report)))
            for item in items
        ],
        "Other shapes than in ONNX": [
            {"node": node.name, "runtime": runtime, "shape": str(list(shape))}
            for node in report.nodes
            for runtime, shape in node.shape_differs.items()
        ],
        "Labels": labels(report),
        "The worst input found (not a bound)": [
            {"runtime": item.runtime, "samples": item.before, "found": item.found} for item in report.worst
        ],
        "Batch sizes": sweep(report),
    }


def node_map(report: DissectionReport) -> Table:
    """ONNX node → TensorFlow ops → LiteRT ops: a row for each TensorFlow op."""
    rows = []
    for entry in report.entries:
        lite = [_litert_op(op, entry.name) for op in report.litert if entry.name in op.nodes]
        ops = [(op.type, op.name, weight_layouts.shapes_text(op.shapes)) for op in entry.ops]
        for index, (kind, label, shapes) in enumerate(ops or [(content.instead_of_ops(entry), "", "")]):
            rows.append(
                {
                    "node": entry.name,
                    "ONNX": f"{entry.op_type}-{entry.version}" if not index else "",
                    "TensorFlow": kind,
                    "name": label,
                    "shapes": shapes,
                    "LiteRT": ", ".join(lite) if not index else "",
                }
            )
    return rows


def _litert_op(op: LiteRTOp, node: str) -> str:
    """A LiteRT op of a node: type, shapes, and the other nodes in it."""
    others = ", ".join(name for name in op.nodes if name != node)
    return f"{op.type} {weight_layouts.shapes_text(op.shapes)}" + (f" (one with {others})" if others else "")


def values(report: DissectionReport) -> Table:
    """The errors of every value in every runtime."""
    return [
        {
            "node": node.name,
            "value": node.output,
            "runtime": runtime,
            "max error": error.whole.max,
            "mean error": error.whole.mean,
            "of the range": error.whole.relative,
            "adds itself": error.own,
            "× noise": f"{error.multiple:,.1f}",
            "cosine": "–" if error.whole.cosine is None else f"{error.whole.cosine:.8f}",
            "histogram, 1e-12 … 1": bars(error.whole.histogram),
            "seen": "remade" if error.remade else "itself",
        }
        for node in report.nodes
        for runtime, error in node.runtimes.items()
    ]


def bars(counts: Sequence[int]) -> str:
    """A histogram as text with logarithmic heights; a dot for an empty bin."""
    highest = math.log1p(max(counts, default=0)) or 1.0
    return "".join(_BARS[min(7, int(8 * math.log1p(count) / highest))] if count else "·" for count in counts)


def weights(report: DissectionReport) -> Table:
    """Each weight with its layout on both sides."""
    op_types = report.op_types
    return [
        {
            "weight": item.name,
            "node": item.node,
            "from ONNX to TensorFlow": weight_layouts.describe_move(item, op_types.get(item.node, "")),
            "permutation": str(list(item.place.perm) or ""),
            "rows reordered from": str(list(item.place.split) or ""),
            "difference": item.error,
        }
        for item in report.weights
    ]


def labels(report: DissectionReport) -> Table:
    """Each runtime's labels: how many samples could flip, how many did, and which."""
    return [
        {
            "runtime": name,
            "samples": str(item.samples),
            "equal labels": f"{100 * item.agreement:.2f} %",
            "accuracy": "–" if item.accuracy is None else f"{100 * item.accuracy:.2f} %",
            "largest error": item.max_error,
            "could flip": f"{item.could_flip}{could_flip_text(item)}",
            "flipped": f"{item.flipped}{flipped_text(item)}",
        }
        for name, item in report.labels.items()
    ]


def sweep(report: DissectionReport) -> Table:
    """A row per runtime, a column per batch size: the error against the ONNX model, or what went wrong.

    ✓: float32 within rounding; ≠: a wrong output; ✗: no output, or wrong only at this size. fp16 and int8 have no mark.
    """
    sizes = sorted({item.batch for item in report.sweep})
    results = {(item.runtime, item.batch): item for item in report.sweep}
    runtimes = dict.fromkeys(item.runtime for item in report.sweep)
    return [{"runtime": name, **{str(size): _batch_cell(results[name, size]) for size in sizes}} for name in runtimes]


def _batch_cell(result: BatchResult) -> str:
    if result.fault:
        return f"✗ {result.fault}"
    if result.error is None:
        return "✓"
    if not is_float32(result.runtime):
        return f"{result.error:.0e}"
    return f"≠ {result.error:.0e}" if differs(result) else f"✓ {result.error:.0e}"


def differs(result: BatchResult) -> bool:
    """Whether a runtime failed at a batch size or, in float32, has a wrong output."""
    wrong = result.error is not None and not result.error <= ROUNDING  # NaN, too
    return bool(result.fault) or (wrong and is_float32(result.runtime))


def could_flip_text(labels: Labels, most: int = 20) -> str:
    """The samples whose label could flip, the closest first, with their margins: ": no. 12 (0.031), …"."""
    pairs = zip(labels.closest, labels.margins, strict=True)
    return _join_with_count([f"no. {index} ({margin:.2g})" for index, margin in pairs][:most], labels.could_flip)


def flipped_text(labels: Labels, most: int = 20) -> str:
    """The samples whose label flipped, with the reference's label and the runtime's: ": no. 12 (4 → 9), …"."""
    pairs = zip(labels.examples, labels.answers, strict=True)
    texts = [f"no. {index} ({before} → {after})" for index, (before, after) in pairs]
    return _join_with_count(texts[:most], labels.flipped)


def _join_with_count(texts: Sequence[str], count: int) -> str:
    if not texts:
        return ""
    more = f" and {count - len(texts)} more" if count > len(texts) else ""
    return f": {', '.join(texts)}{more}"
