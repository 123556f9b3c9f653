"""Everything that a dissection's report shows, as tables. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.dissect.difference import ROUNDING, is_float32
from convnet_core.dissect.report import content as report
from convnet_core.dissect.report import weight_layouts

Table = list[dict[str, Any]]

_BARS = "▁▂▃▄▅▆▇█"


def tables(content: dict[str, Any]) -> dict[str, Table]:
    """The tables by their headings."""
    return {
        "Nodes": report.rows(content),
        "Node map": node_map(content),
        "Values": values(content),
        "Weights": weights(content),
        f"BatchNorms folded into a Conv: {content['fusions']['formula']}": [
            {
                "node": item["node"],
                "in": item["where"],
                "ε": item["epsilon"],
                **item["channel"],
                "error": report.parse_number(item["error"]),
            }
            for item in content["fusions"]["nodes"]
        ],
        "Transposes": [
            {"where": where, "node": item["node"], "op": item["op"], "what for": item["what"]}
            for where, items in (("TensorFlow", content["transposes"]), ("LiteRT", report.litert_transposes(content)))
            for item in items
        ],
        "Other shapes than in ONNX": [
            {"node": node["name"], "runtime": runtime, "shape": str(shape)}
            for node in content["nodes"]
            for runtime, shape in node["shape_differs"].items()
        ],
        "Labels": labels(content),
        "The worst input found (not a bound)": [
            {
                "runtime": item["runtime"],
                "samples": report.parse_number(item["before"]),
                "found": report.parse_number(item["found"]),
            }
            for item in content["worst"]
        ],
        "Batch sizes": sweep(content),
    }


def node_map(content: dict[str, Any]) -> Table:
    """ONNX node → TensorFlow ops → LiteRT ops: a row for each TensorFlow op."""
    found = []
    for entry in content["entries"]:
        name = entry["name"]
        lite = [
            f"{op['type']} {weight_layouts.shapes_text(op['shapes'])}"
            + (f" ({_others(op, name)})" if _others(op, name) else "")
            for op in content["litert"]
            if name in op["nodes"]
        ]
        ops = [(op["type"], op["name"], weight_layouts.shapes_text(op["shapes"])) for op in entry["ops"]]
        for place, (kind, label, shapes) in enumerate(ops or [(report.instead_of_ops(entry), "", "")]):
            found.append(
                {
                    "node": name,
                    "ONNX": f"{entry['op_type']}-{entry['version']}" if not place else "",
                    "TensorFlow": kind,
                    "name": label,
                    "shapes": shapes,
                    "LiteRT": ", ".join(lite) if not place else "",
                }
            )
    return found


def _others(op: dict[str, Any], name: str) -> str:
    """The other nodes in a LiteRT op."""
    others = ", ".join(other for other in op["nodes"] if other != name)
    return f"one with {others}" if others else ""


def values(content: dict[str, Any]) -> Table:
    """The errors of every value in every runtime."""
    return [
        {
            "node": node["name"],
            "value": node["output"],
            "runtime": runtime,
            "max error": report.parse_number(seen["whole"]["max"]),
            "mean error": report.parse_number(seen["whole"]["mean"]),
            "of the range": report.parse_number(seen["whole"]["relative"]),
            "adds itself": report.parse_number(seen["own"]),
            "× noise": _format_number(report.parse_number(seen["multiple"]), "{:,.1f}"),
            "cosine": _format_number(report.parse_number(seen["whole"]["cosine"]), "{:.8f}"),
            "histogram, 1e-12 … 1": bars(seen["whole"]["histogram"]),
            "seen": "remade" if seen["remade"] else "itself",
        }
        for node in content["nodes"]
        for runtime, seen in node["runtimes"].items()
    ]


def _format_number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def bars(counts: Sequence[int]) -> str:
    """A histogram as text with logarithmic heights; a dot for an empty bin."""
    highest = math.log1p(max(counts, default=0)) or 1.0
    return "".join(_BARS[min(7, int(8 * math.log1p(count) / highest))] if count else "·" for count in counts)


def weights(content: dict[str, Any]) -> Table:
    """Each weight with its layout on both sides."""
    kinds = {entry["name"]: entry["op_type"] for entry in content["entries"]}
    return [
        {
            "weight": item["name"],
            "node": item["node"],
            "from ONNX to TensorFlow": weight_layouts.describe_move(item, kinds.get(item["node"], "")),
            "permutation": str(item["place"]["perm"] or ""),
            "rows reordered from": str(item["place"]["split"] or ""),
            "difference": report.parse_number(item["error"]),
        }
        for item in content["weights"]
    ]


def labels(content: dict[str, Any]) -> Table:
    """Each runtime's labels: how many samples could flip, how many did, and which."""
    return [
        {
            "runtime": name,
            "samples": str(item["samples"]),
            "equal labels": f"{100 * item['agreement']:.2f} %",
            "accuracy": "–" if item["accuracy"] is None else f"{100 * item['accuracy']:.2f} %",
            "largest error": report.parse_number(item["max_error"]),
            "could flip": f"{item['could_flip']}{could_flip_text(item)}",
            "flipped": f"{item['flipped']}{flipped_text(item)}",
        }
        for name, item in content["labels"].items()
    ]


def sweep(content: dict[str, Any]) -> Table:
    """A row per runtime, a column per batch size: the error against the ONNX model, or what went wrong.

    ✓: float32 within rounding; ≠: a wrong output; ✗: no output, or wrong only at this size. fp16 and int8 have no mark.
    """
    sizes = sorted({item["batch"] for item in content["sweep"]})
    tried = {(item["runtime"], item["batch"]): item for item in content["sweep"]}
    runtimes = dict.fromkeys(item["runtime"] for item in content["sweep"])
    return [{"runtime": name, **{str(size): _batch_cell(tried[name, size]) for size in sizes}} for name in runtimes]


def _batch_cell(item: dict[str, Any]) -> str:
    error = report.parse_number(item.get("error"))
    if item["fault"]:
        return f"✗ {item['fault']}"
    if error is None:
        return "✓"
    if not is_float32(item["runtime"]):
        return f"{error:.0e}"
    return f"≠ {error:.0e}" if differs(item) else f"✓ {error:.0e}"


def differs(item: dict[str, Any]) -> bool:
    """Whether a runtime failed at a batch size or, in float32, has a wrong output."""
    error = report.parse_number(item.get("error"))
    other = error is not None and not error <= ROUNDING  # NaN, too
    return bool(item["fault"]) or (other and is_float32(item["runtime"]))


def could_flip_text(item: dict[str, Any], most: int = 20) -> str:
    """The samples whose label could flip, the closest first, with their margins: ": no. 12 (0.031), …"."""
    margins = (_format_number(report.parse_number(margin), "{:.2g}") for margin in item["margins"])
    texts = [f"no. {place} ({margin})" for place, margin in zip(item["closest"], margins, strict=True)]
    return _join_with_count(texts[:most], item["could_flip"])


def flipped_text(item: dict[str, Any], most: int = 20) -> str:
    """The samples whose label flipped, with the reference's label and the runtime's: ": no. 12 (4 → 9), …"."""
    pairs = zip(item["examples"], item["answers"], strict=True)
    return _join_with_count(
        [f"no. {place} ({before} → {after})" for place, (before, after) in pairs][:most], item["flipped"]
    )


def _join_with_count(texts: Sequence[str], count: int) -> str:
    if not texts:
        return ""
    more = f" and {count - len(texts)} more" if count > len(texts) else ""
    return f": {', '.join(texts)}{more}"
