"""The stage `export`: weights → model.onnx, and its graph laid out for the app."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
from safetensors.torch import save_file

from convnet_core.common.files import digest, write_json
from convnet_core.common.formatting import list_words
from convnet_core.config.stages import ExportConfig
from convnet_core.events import Message, Monitor, Progress
from convnet_core.export.onnx_export import export
from convnet_core.graphs import from_onnx, graph_file
from convnet_core.language import _, plural
from convnet_core.networks.convnet import from_weights
from convnet_core.networks.recognition import recognize
from convnet_core.networks.weights import read_weights
from convnet_core.onnx_files.model_file import CHECKER
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import ExportResult
from convnet_core.stages.stage import stage_events

_TRAINED = "train/model.safetensors"


def run_export(run: Run, config: ExportConfig, monitor: Monitor, *, weights: Path | None = None) -> ExportResult:
    """Export the run's network, or the one whose `state_dict` is in `weights`, and write `export/`.

    The folder gets a copy of the weights: later stages need nothing from `train/`.
    """
    with stage_events("export", monitor) as line:
        if weights is None:
            run.require("train")
        source = weights or run.path / _TRAINED
        named, notes = recognize(read_weights(source), str(source))
        for note in notes:
            monitor.emit(Message(text=note))
        model_config, model = from_weights(named, str(source))
        monitor.emit(Progress(label=_("exporting"), done=0, total=1))
        with run.write_stage("export", config.to_json(), () if weights else (_TRAINED,)) as draft:
            if weights:
                draft.inputs["weights"] = digest(weights)
            exported = export(model, config)
            path = draft.path / "model.onnx"
            onnx.save(exported.model, path)
            save_file(
                {name: value.contiguous() for name, value in model.state_dict().items()},
                draft.path / "model.safetensors",
            )
            write_json(draft.path / graph_file.FILE, from_onnx.read(exported.model).to_json())
            result = ExportResult(
                len(exported.model.graph.node),
                path.stat().st_size,
                config.opset,
                CHECKER,
                exported.max_abs_error,
            )
            draft.result = {**dataclasses.asdict(result), "model": model_config.to_json()}
        monitor.emit(Progress(label=_("exported"), done=1, total=1))
        ops = list_words(dict.fromkeys(node.op_type for node in exported.model.graph.node))
        line.summary = plural(
            "{count} node ({ops}), opset {opset}",
            "{count} nodes ({ops}), opset {opset}",
            result.nodes,
            ops=ops,
            opset=config.opset,
        )
    return result
