"""A dissection as JSON, and its tables.

Light: nothing here imports torch, TensorFlow or a runtime.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.formatting import format_count
from convnet_core.convert.node_map_file import NodeMap, NodeMapEntry
from convnet_core.dissect.difference import is_float32
from convnet_core.dissect.report.weight_layouts import dimension_letters, shapes_text
from convnet_core.runs.stage_folders import LESSON_STAGES

if TYPE_CHECKING:
    from convnet_core.dissect.dissection import Dissection

STAGE, FILE, WORST = "dissect", "dissection.json", "worst_inputs.npz"
"""Where a run keeps it, and the worst inputs that were found."""

FAULTS = {
    "train-mode": "exported in train mode",
    "flatten-order": "flattened channels last, weights for channels first",
    "epsilon": "another BatchNorm epsilon",
    "transposed": "a kernel transposed",
    "int8-noise": "int8 calibrated on noise",
    "not-scaled": "pixels not scaled to [0, 1]",
    "frozen-batch": "the batch frozen at 1",
    "opset": "an operator version that onnx-tf lacks",
}
"""The fault that each lesson puts into a copy of the run, in words."""


FORMULA = "W' = W · γ / √(σ² + ε),  b' = (b − μ) · γ / √(σ² + ε) + β"
"""What is done to the weights of a convolution to have its batch normalisation in them."""


def stage_of(lesson: str) -> str:
    """The stage of a lesson, "none" for the run itself: each has its own folder, so that none replaces another."""
    return STAGE if lesson == "none" else f"{LESSON_STAGES}/{lesson}"


def title_of(run: str, lesson: str) -> str:
    """The title of a dissection of the run with this title."""
    return run if lesson == "none" else f"Lesson {lesson}, on a copy of {run}"


def lesson_note(content: dict[str, Any]) -> str:
    """What a reader of a lesson must know first; empty for a dissection of the run itself."""
    lesson = content["config"]["lesson"]
    if lesson == "none":
        return ""
    return f"Lesson {lesson}: {FAULTS.get(lesson, 'a fault')} in a copy of the run. The run itself is not like this."


def to_json(found: Dissection, title: str, config: dict[str, Any]) -> dict[str, Any]:
    """Plain JSON: everything that pages and reports show."""
    late = after_moved_transposes(found.entries)
    transposes = [
        {
            "node": entry.name,
            "op": op.name,
            "what": _purpose(entry.op_type, entry.name in late, op.perm),
            "perm": list(op.perm),
        }
        for entry in found.entries
        for op in entry.ops
        if op.type == "Transpose"
    ]
    content = {
        "title": title,
        "config": config,
        "runtimes": found.runtimes,
        "findings": [dataclasses.asdict(item) for item in found.findings],
        "nodes": [dataclasses.asdict(item) for item in found.nodes],
        "entries": [dataclasses.asdict(entry) for entry in found.entries],
        "litert": [dataclasses.asdict(op) for op in found.litert],
        "weights": [dataclasses.asdict(item) for item in found.weights],
        "fusions": {"formula": FORMULA, "nodes": [dataclasses.asdict(item) for item in found.fusions]},
        "transposes": transposes,
        "labels": {name: dataclasses.asdict(item) for name, item in found.labels.items()},
        "sweep": [dataclasses.asdict(item) for item in found.sweep],
        "worst": [dataclasses.asdict(item) for item in found.worst],
    }
    return dict(to_json_numbers(content))


def after_moved_transposes(entries: NodeMap) -> set[str]:
    """The nodes to which a transpose of the model comes undone: it became an order of dimensions before them."""
    turned, found = set[str](), set[str]()
    for entry in entries:
        own = entry.op_type == "Transpose" and entry.became == "layout"
        if own or turned.intersection(entry.inputs):
            found.add(entry.name)
            kept = zip(entry.outputs, entry.tensors, strict=True)
            turned.update(name for name, where in kept if own or (where.place is not None and where.place.perm))
    return found


def _purpose(op_type: str, late: bool = False, perm: Sequence[int] = ()) -> str:
    """What a transpose of a node is for; `late` says that the model has one before the node, not done yet."""
    if op_type == "Transpose":
        return "the model's own"
    if perm and perm[0] and dimension_letters(op_type, len(perm)):  # images keep their first dimension, the samples
        return f"the kernel of {op_type}"
    return f"the model's own and what {op_type} needs" if late else f"the layout that {op_type} needs"


def to_json_numbers(value: Any) -> Any:
    """The same with text for numbers that JSON has not."""
    if isinstance(value, dict):
        return {key: to_json_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_numbers(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def parse_number(value: float | str | None) -> float | None:
    """A number that `finite` may have made text of."""
    return None if value is None else float(value)


def headline(content: dict[str, Any]) -> str:
    """One sentence: the first finding, or that there is none."""
    found = content["findings"]
    if found:
        return str(found[0]["text"]).removesuffix(".")
    nodes, runtimes = format_count(len(content["nodes"]), "node"), format_count(len(content["runtimes"]), "runtime")
    return f"{nodes} compared in {runtimes}, nothing wrong"


def summary(content: dict[str, Any], most: int = 5) -> dict[str, Any]:
    """What a comparison's report says of a dissection: the headline, the findings, and of float32 the values that are
    furthest off.
    """
    lines = [
        {
            "runtime": runtime,
            "node": node["name"],
            "op": node["op"],
            "error": parse_number(seen["whole"]["relative"]) or 0.0,
            "adds": parse_number(seen["own"]),
            "multiple": parse_number(seen["multiple"]) or 0.0,
        }
        for node in content["nodes"]
        for runtime, seen in node["runtimes"].items()
        if is_float32(runtime)
    ]
    return {
        "converter": content["config"]["converter"],
        "headline": headline(content),
        "findings": content["findings"],
        "nodes": [to_json_numbers(line) for line in sorted(lines, key=lambda line: -line["error"])[:most]],
    }


def errors(content: dict[str, Any]) -> dict[str, float]:
    """The largest error of a float32 runtime at each node, as a part of the range."""
    found: dict[str, float] = {}
    for node in content["nodes"]:
        for runtime, seen in node["runtimes"].items():
            if is_float32(runtime):
                error = parse_number(seen["whole"]["relative"]) or 0.0
                found[node["name"]] = max(error, found.get(node["name"], 0.0))
    return found


def transposes(content: dict[str, Any]) -> str:
    """How many transposes there are in what was made, and what for."""
    counted = [("TensorFlow", content["transposes"])] if content["entries"] else []
    counted += [("LiteRT", litert_transposes(content))] if content["litert"] else []
    said = "; ".join(_count_transposes(where, found) for where, found in counted) or "nothing was converted"
    return said[0].upper() + said[1:]


def _count_transposes(where: str, found: list[dict[str, Any]]) -> str:
    if not found:
        return f"no transposes in {where}"
    kinds = dict.fromkeys(item["what"] for item in found)
    said = ", ".join(f"{sum(item['what'] == kind for item in found)} for {kind}" for kind in kinds)
    return f"{format_count(len(found), 'transpose')} in {where}: {said}"


def litert_transposes(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The transposes of the TFLite file, as those of TensorFlow are kept."""
    entries = [dataclass_from_json(NodeMapEntry, entry) for entry in content["entries"]]
    kinds, late = {entry.name: entry.op_type for entry in entries}, after_moved_transposes(entries)
    found = []
    for op in content["litert"]:
        if op["type"] == "TRANSPOSE":
            name = next(iter(op["nodes"][-1:]), "")
            what = _purpose(kinds.get(name, "model"), name in late)
            found.append({"node": name, "op": f"{op['type']} {shapes_text(op['shapes'])}", "what": what})
    return found


def rows(content: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each node: what it became, and the error of each runtime as a part of the range."""
    became = {entry["name"]: entry for entry in content["entries"]}
    lines = []
    for node in content["nodes"]:
        entry = became.get(node["name"], {})
        ops = [op["type"] for op in entry.get("ops", [])]
        line = {
            "node": node["name"],
            "ONNX": node["op"],
            "TensorFlow": ", ".join(ops) or instead_of_ops(entry),
            "LiteRT": ", ".join(op["type"] for op in content["litert"] if node["name"] in op["nodes"]),
            "noise": node["noise"],
        }
        for runtime in content["runtimes"][1:]:
            seen = node["runtimes"].get(runtime)
            line[runtime] = parse_number(seen["whole"]["relative"]) if seen else None
            line[f"{runtime} adds"] = parse_number(seen["own"]) if seen else None
        lines.append(line)
    return lines


def instead_of_ops(entry: dict[str, Any]) -> str:
    """What a node is that has no op of its own."""
    texts = {
        "constant": "(computed while converting)",
        "layout": "(an order of dimensions)",
        "part": f"(a part of {entry.get('of', '')})",
    }
    return texts.get(str(entry.get("became", "")), "")
