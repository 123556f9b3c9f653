"""A dissection as JSON, and what to show of it.

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
"""The stage and the file of a dissection, and the file of the worst inputs."""

FAULTS = {
    "train-mode": "exported in train mode",
    "flatten-order": "flattened channels last, weights for channels first",
    "epsilon": "another BatchNorm epsilon",
    "transposed": "a kernel transposed",
    "int8-noise": "int8 calibrated on noise",
    "not-scaled": "pixels not scaled to [0, 1]",
    "frozen-batch": "the batch frozen at 1",
    "opset": "an operator version that onnx-tf does not support",
}
"""The fault that each lesson injects into a copy of the run, in words."""


FORMULA = "W' = W · γ / √(σ² + ε),  b' = (b − μ) · γ / √(σ² + ε) + β"
"""How a BatchNorm is folded into the weights of a convolution."""


def stage_of(lesson: str) -> str:
    """The stage of a lesson, or of the run itself for "none". Each has its own folder."""
    return STAGE if lesson == "none" else f"{LESSON_STAGES}/{lesson}"


def title_of(run: str, lesson: str) -> str:
    """The title of a dissection; `run` is the run's title."""
    return run if lesson == "none" else f"Lesson {lesson}, on a copy of {run}"


def lesson_note(content: dict[str, Any]) -> str:
    """A warning for readers of a lesson; empty for a dissection of the run itself."""
    lesson = content["config"]["lesson"]
    if lesson == "none":
        return ""
    return f"Lesson {lesson}: {FAULTS.get(lesson, 'a fault')} in a copy of the run. The run itself does not have it."


def to_json(dissection: Dissection, title: str, config: dict[str, Any]) -> dict[str, Any]:
    """The dissection as JSON: everything that pages and reports show."""
    late = after_moved_transposes(dissection.entries)
    transposes = [
        {
            "node": entry.name,
            "op": op.name,
            "what": _purpose(entry.op_type, entry.name in late, op.perm),
            "perm": list(op.perm),
        }
        for entry in dissection.entries
        for op in entry.ops
        if op.type == "Transpose"
    ]
    content = {
        "title": title,
        "config": config,
        "runtimes": dissection.runtimes,
        "findings": [dataclasses.asdict(item) for item in dissection.findings],
        "nodes": [dataclasses.asdict(item) for item in dissection.nodes],
        "entries": [dataclasses.asdict(entry) for entry in dissection.entries],
        "litert": [dataclasses.asdict(op) for op in dissection.litert],
        "weights": [dataclasses.asdict(item) for item in dissection.weights],
        "fusions": {"formula": FORMULA, "nodes": [dataclasses.asdict(item) for item in dissection.fusions]},
        "transposes": transposes,
        "labels": {name: dataclasses.asdict(item) for name, item in dissection.labels.items()},
        "sweep": [dataclasses.asdict(item) for item in dissection.sweep],
        "worst": [dataclasses.asdict(item) for item in dissection.worst],
    }
    return dict(to_json_numbers(content))


def after_moved_transposes(entries: NodeMap) -> set[str]:
    """The nodes after a Transpose of the model that the conversion turned into a layout instead of an op."""
    turned, found = set[str](), set[str]()
    for entry in entries:
        own = entry.op_type == "Transpose" and entry.became == "layout"
        if own or turned.intersection(entry.inputs):
            found.add(entry.name)
            kept = zip(entry.outputs, entry.tensors, strict=True)
            turned.update(name for name, where in kept if own or (where.place is not None and where.place.perm))
    return found


def _purpose(op_type: str, late: bool = False, perm: Sequence[int] = ()) -> str:
    """The purpose of a node's transpose; `late` means that a transpose of the model is still pending before it."""
    if op_type == "Transpose":
        return "the model's own"
    if perm and perm[0] and dimension_letters(op_type, len(perm)):  # a transpose of images keeps the first dimension
        return f"the kernel of {op_type}"
    return f"the model's own and what {op_type} needs" if late else f"the layout that {op_type} needs"


def to_json_numbers(value: Any) -> Any:
    """Replace infinity and NaN, which JSON does not have, with text."""
    if isinstance(value, dict):
        return {key: to_json_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_numbers(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def parse_number(value: float | str | None) -> float | None:
    """A number that `to_json_numbers` may have turned into text."""
    return None if value is None else float(value)


def headline(content: dict[str, Any]) -> str:
    """The first finding in one sentence, or that there is none."""
    findings = content["findings"]
    if findings:
        return str(findings[0]["text"]).removesuffix(".")
    nodes, runtimes = format_count(len(content["nodes"]), "node"), format_count(len(content["runtimes"]), "runtime")
    return f"{nodes} compared in {runtimes}, nothing wrong"


def summary(content: dict[str, Any], most: int = 5) -> dict[str, Any]:
    """What a comparison's report shows of a dissection: headline, findings, and the largest float32 errors."""
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
    """The largest error of a float32 runtime at each node, as a share of the range."""
    found: dict[str, float] = {}
    for node in content["nodes"]:
        for runtime, seen in node["runtimes"].items():
            if is_float32(runtime):
                error = parse_number(seen["whole"]["relative"]) or 0.0
                found[node["name"]] = max(error, found.get(node["name"], 0.0))
    return found


def transposes(content: dict[str, Any]) -> str:
    """How many transposes the converted files contain, and why."""
    counted = [("TensorFlow", content["transposes"])] if content["entries"] else []
    counted += [("LiteRT", litert_transposes(content))] if content["litert"] else []
    text = "; ".join(_count_transposes(where, items) for where, items in counted) or "nothing was converted"
    return text[0].upper() + text[1:]


def _count_transposes(where: str, items: list[dict[str, Any]]) -> str:
    if not items:
        return f"no transposes in {where}"
    kinds = dict.fromkeys(item["what"] for item in items)
    text = ", ".join(f"{sum(item['what'] == kind for item in items)} for {kind}" for kind in kinds)
    return f"{format_count(len(items), 'transpose')} in {where}: {text}"


def litert_transposes(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The transposes of the TFLite file, in the format of TensorFlow's."""
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
    """A row per node: what it became, and the error of each runtime as a share of the range."""
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
    """What a node without an op became."""
    texts = {
        "constant": "(computed while converting)",
        "layout": "(an order of dimensions)",
        "part": f"(a part of {entry.get('of', '')})",
    }
    return texts.get(str(entry.get("became", "")), "")
