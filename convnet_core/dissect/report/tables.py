"""Everything that a dissection's report shows, as tables. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.common.formatting import format_share, list_words
from convnet_core.dissect.difference import ROUNDING, is_float32
from convnet_core.dissect.measurements import BatchResult, Labels, LiteRTOp
from convnet_core.dissect.report import content, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.language import N_, _

Table = list[dict[str, Any]]

_BARS = "▁▂▃▄▅▆▇█"


_TITLES = {
    "nodes": N_("Nodes"),
    "node map": N_("Node map"),
    "values": N_("Values"),
    "weights": N_("Weights"),
    "fusions": N_("BatchNorms folded into a Conv: {formula}"),
    "transposes": N_("Transposes"),
    "shapes": N_("Other shapes than in ONNX"),
    "labels": N_("Labels"),
    "worst": N_("The worst input found (not a bound)"),
    "batch sizes": N_("Batch sizes"),
}
_HEADINGS = (
    *(N_("node"), N_("noise"), N_("name"), N_("shapes"), N_("value"), N_("runtime"), N_("max error"), N_("mean error")),
    *(N_("of the range"), N_("adds itself"), N_("× noise"), N_("cosine"), N_("histogram, 1e-12 … 1"), N_("seen")),
    *(N_("weight"), N_("from ONNX to TensorFlow"), N_("permutation"), N_("rows reordered from"), N_("difference")),
    *(N_("samples"), N_("equal labels"), N_("accuracy"), N_("largest error"), N_("could flip"), N_("flipped")),
    *(N_("in"), N_("error"), N_("where"), N_("op"), N_("what for"), N_("shape"), N_("found")),
)
"""The headings of the tables: their rows have them as keys, in English."""
_ADDS = " adds"


def title(name: str) -> str:
    """The title of a table, by its name in `tables`."""
    return _(_TITLES[name], formula=content.FORMULA)


def heading(key: str) -> str:
    """The heading of a column, by its key in the rows."""
    if key.endswith(_ADDS):
        return _("{runtime} adds", runtime=key.removesuffix(_ADDS))
    return _(key)


def translated(table: Table) -> Table:
    """A table with its headings in the current language."""
    return [{heading(key): value for key, value in row.items()} for row in table]


def tables(report: DissectionReport) -> dict[str, Table]:
    """The tables by their names."""
    return {
        "nodes": content.rows(report),
        "node map": node_map(report),
        "values": values(report),
        "weights": weights(report),
        "fusions": [
            {"node": item.node, "in": item.where, "ε": item.epsilon, **item.channel, "error": item.error}
            for item in report.fusions.nodes
        ],
        "transposes": [
            {"where": where, "node": item.node, "op": item.op, "what for": item.what}
            for where, items in (("TensorFlow", report.transposes), ("LiteRT", content.litert_transposes(report)))
            for item in items
        ],
        "shapes": [
            {"node": node.name, "runtime": runtime, "shape": str(list(shape))}
            for node in report.nodes
            for runtime, shape in node.shape_differs.items()
        ],
        "labels": labels(report),
        "worst": [{"runtime": item.runtime, "samples": item.before, "found": item.found} for item in report.worst],
        "batch sizes": sweep(report),
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
    others = list_words(name for name in op.nodes if name != node)
    text = f"{op.type} {weight_layouts.shapes_text(op.shapes)}"
    return _("{op} (one with {nodes})", op=text, nodes=others) if others else text


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
            "seen": _("remade") if error.remade else _("itself"),
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
            "equal labels": format_share(item.agreement),
            "accuracy": format_share(item.accuracy),
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
    return _join_with_count(
        [_("no. {index} ({margin:.2g})", index=index, margin=margin) for index, margin in pairs][:most],
        labels.could_flip,
    )


def flipped_text(labels: Labels, most: int = 20) -> str:
    """The samples whose label flipped, with the reference's label and the runtime's: ": no. 12 (4 → 9), …"."""
    pairs = zip(labels.examples, labels.answers, strict=True)
    texts = [
        _("no. {index} ({before} → {after})", index=index, before=before, after=after)
        for index, (before, after) in pairs
    ]
    return _join_with_count(texts[:most], labels.flipped)


def _join_with_count(texts: Sequence[str], count: int) -> str:
    if not texts:
        return ""
    names = list_words(texts)
    if count > len(texts):
        names = _("{words} and {count} more", words=names, count=count - len(texts))
    return _(": {names}", names=names)
