"""The stage `export` for any PyTorch network: the result of a factory function → model.onnx."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.config.stages import ExportConfig
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.events import Message, Monitor, Progress
from convnet_core.export import factory
from convnet_core.export.onnx_export import export_any
from convnet_core.language import _, plural
from convnet_core.onnx_files.repairs import repair
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import ExportResult
from convnet_core.stages.import_onnx import write_model
from convnet_core.stages.stage import stage_events


def run_export_factory(
    run: Run, function: str, examples: Sequence[str], config: ExportConfig, monitor: Monitor
) -> ExportResult:
    """Export the PyTorch network that `package.module:function` returns. Runs that function's code.

    Raises ConfigError if it does not return a network or its inputs are unknown, ConversionError if the export fails
    or ONNX Runtime's outputs differ from PyTorch's.
    """
    with stage_events("export", monitor) as line:
        network = factory.load_factory(function, examples)
        monitor.emit(Progress(label=_("exporting"), done=0, total=1))
        exported = export_any(network.model, network.example, config, network.named)
        for note in exported.notes:
            monitor.emit(Message(text=note))
        if exported.fixed_batch_reason:
            monitor.emit(Message(text=_("the batch is fixed: {reason}", reason=exported.fixed_batch_reason)))
        with run.write_stage("export", config.to_json()) as draft:
            draft.inputs["factory"] = function
            model = LoadedModel(exported.model, tuple(repair(exported.model)))
            result = write_model(model, draft, exported.max_abs_error)
        monitor.emit(Progress(label=_("exported"), done=1, total=1))
        line.summary = plural(
            "{count} node, opset {opset}, from {source}",
            "{count} nodes, opset {opset}, from {source}",
            result.nodes,
            opset=result.opset,
            source=function,
        )
    return result
