"""The stage `export` for a model from elsewhere: an ONNX file becomes the run's model.onnx."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import onnx

from convnet_core.common.files import write_json
from convnet_core.common.formatting import format_count
from convnet_core.convert.intake import Intake, open_and_check
from convnet_core.events import Message, Monitor
from convnet_core.graphs import from_onnx, graph_file
from convnet_core.onnx_files import model_file
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import Draft
from convnet_core.stages.stage import ExportResult, stage_events


def run_import_onnx(
    run: Run, path: Path, monitor: Monitor, load: Callable[[Path], onnx.ModelProto] = model_file.load
) -> ExportResult:
    """Check an ONNX file and make it the run's model; where its weights lay in other files, they move into it.

    What was repaired in it is said, and what the native converter cannot take of it is noted, a line for each node.
    `load` opens the file. Raises ModelError where it cannot be read, ConversionError where it is no valid model.
    """
    with stage_events("export", monitor) as line:
        intake = open_and_check(path, load)
        for text in intake.repairs:
            monitor.emit(Message(text=text))
        with run.write_stage("export", {}) as draft:
            draft.inputs["onnx"] = model_file.fingerprint(path)
            result = keep(intake, draft)
        line.summary = f"{format_count(result.nodes, 'node')}, opset {result.opset}, from {path.name}"
    return result


def keep(intake: Intake, draft: Draft, max_abs_error: float | None = None) -> ExportResult:
    """Write a model, its graph as a page draws it, what was repaired, and what the native converter cannot take."""
    model = intake.model
    write_json(draft.path / graph_file.FILE, graph_file.arrange(from_onnx.read(model)).to_json())
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    nodes = len(model.graph.node)
    files = model_file.save(model, draft.path)  # takes the weights out of a model that is too large for one file
    size = sum(file.stat().st_size for file in files)
    result = ExportResult(nodes, size, opset, model_file.CHECKER, max_abs_error)
    draft.result = {**dataclasses.asdict(result), "faults": [*intake.unsupported], "repairs": [*intake.repairs]}
    return result
