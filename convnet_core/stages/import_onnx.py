"""The stage `export` for an imported model: an ONNX file → the run's model.onnx."""

from __future__ import annotations

import dataclasses

from convnet_core.common.files import write_json
from convnet_core.convert.loaded_model import LoadedModel, load_imported
from convnet_core.events import Message, Monitor
from convnet_core.graphs import from_onnx, graph_file
from convnet_core.language import plural
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.model_file import ModelFile
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import Draft
from convnet_core.runs.stage_results import ExportResult, ImportResult
from convnet_core.stages.stage import stage_events


def run_import_onnx(run: Run, file: ModelFile, monitor: Monitor) -> tuple[ExportResult, LoadedModel]:
    """Check an ONNX file and make it the run's model. Weights in separate files move into it.

    Also returns the model, for the stages that follow. Repairs are emitted as messages; nodes that the native
    converter does not support are recorded, a line each. Raises ModelError if the weights cannot be read,
    ConversionError if it is not a valid model.
    """
    with stage_events("export", monitor) as line:
        model = load_imported(file)
        for text in model.repairs:
            monitor.emit(Message(text=text))
        with run.write_stage("export", {}) as draft:
            draft.inputs["onnx"] = file.fingerprint()
            result = write_model(model, draft)
        line.summary = plural(
            "{count} node, opset {opset}, from {source}",
            "{count} nodes, opset {opset}, from {source}",
            result.nodes,
            opset=result.opset,
            source=file.path.name,
        )
    return result, model


def write_model(model: LoadedModel, draft: Draft, max_abs_error: float | None = None) -> ExportResult:
    """Write the model and its graph, laid out for the app; record repairs and unsupported nodes."""
    proto = model.proto
    write_json(draft.path / graph_file.FILE, from_onnx.read(proto).to_json())
    opset = next((item.version for item in proto.opset_import if item.domain in ("", "ai.onnx")), 0)
    nodes = len(proto.graph.node)
    files = model_file.save(proto, draft.path)
    size = sum(file.stat().st_size for file in files)
    result = ExportResult(nodes, size, opset, model_file.CHECKER, max_abs_error)
    record = ImportResult(**dataclasses.asdict(result), faults=model.unsupported, repairs=model.repairs)
    draft.result = dataclasses.asdict(record)
    return result
