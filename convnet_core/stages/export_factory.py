"""The stage `export` for somebody's own PyTorch network: what a function of theirs makes becomes model.onnx."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.common.formatting import format_count
from convnet_core.config.stages import ExportConfig
from convnet_core.convert.intake import examine
from convnet_core.events import Message, Monitor, Progress
from convnet_core.export import factory
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.repairs import repair
from convnet_core.runs.run import Run
from convnet_core.stages.import_onnx import keep
from convnet_core.stages.stage import ExportResult, stage_events


def run_export_factory(
    run: Run, function: str, examples: Sequence[str], config: ExportConfig, monitor: Monitor
) -> ExportResult:
    """Export the PyTorch network that `package.module:function` makes. It runs that function's code.

    Raises ConfigError where it gives no network or nothing says what it takes, ConversionError where it cannot be
    exported or ONNX Runtime does not give its answer.
    """
    with stage_events("export", monitor) as line:
        made = factory.load_factory(function, examples)
        monitor.emit(Progress(label="exporting", done=0, total=1))
        exported = export_any(made.model, made.example, config, made.named)
        for note in exported.notes:
            monitor.emit(Message(text=note))
        if exported.fixed_batch_reason:
            monitor.emit(Message(text=f"the batch is fixed: {exported.fixed_batch_reason}"))
        with run.write_stage("export", config.to_json()) as draft:
            draft.inputs["factory"] = function
            result = keep(examine(exported.model, repair(exported.model)), draft, exported.max_abs_error)
        monitor.emit(Progress(label="exported", done=1, total=1))
        line.summary = f"{format_count(result.nodes, 'node')}, opset {result.opset}, from {function}"
    return result
