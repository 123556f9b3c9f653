"""The stage `export` for an imported model: an ONNX file → the run's model.onnx."""

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
    """Check an ONNX file and make it the run's model. Weights in separate files move into it.

    Repairs are emitted as messages; nodes that the native converter does not support are recorded, a line each.
    `load` opens the file. Raises ModelError if it cannot be read, ConversionError if it is not a valid model.
    """
    with stage_events("export", monitor) as line:
        intake = open_and_check(path, load)
        for text in intake.repairs:
            monitor.emit(Message(text=text))
        with run.write_stage("export", {}) as draft:
            draft.inputs["onnx"] = model_file.fingerprint(path)
            result = write_model(intake, draft)
        line.summary = f"{format_count(result.nodes, 'node')}, opset {result.opset}, from {path.name}"
    return result


def write_model(intake: Intake, draft: Draft, max_abs_error: float | None = None) -> ExportResult:
    """Write the model and its graph, laid out for the app; record repairs and unsupported nodes."""
    model = intake.model
    write_json(draft.path / graph_file.FILE, graph_file.arrange(from_onnx.read(model)).to_json())
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    nodes = len(model.graph.node)
    files = model_file.save(model, draft.path)  # moves the weights to another file if the model is too large for one
    size = sum(file.stat().st_size for file in files)
    result = ExportResult(nodes, size, opset, model_file.CHECKER, max_abs_error)
    draft.result = {**dataclasses.asdict(result), "faults": [*intake.unsupported], "repairs": [*intake.repairs]}
    return result
