"""The stage `dissect`: compare a conversion node by node → dissection.json, and files for other viewers.

Like the benchmark it is not part of the pipeline. A lesson puts a fault into a copy of the model first; its dissection
goes into `lessons/<name>`, and nothing else in the run changes. The work happens in a worker process
(`dissect_worker.py`): if a runtime crashes it, the dissection starts over without that runtime.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.active_runtime import last_active
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.report.content import stage_of
from convnet_core.errors import DiedError, ModelError
from convnet_core.events import Message, Monitor, Progress, from_json
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runtimes.specs import ONNX_RUNTIME
from convnet_core.stages import dissect_worker
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.arrays import Feeds
from convnet_core.tensors.model_inputs import InputSpec
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content

_NO_SPEC = InputSpec()
_SECONDS = 1800.0
"""The longest a single step may take; the search for the worst inputs of one runtime is one step."""


def run_dissect(
    run: Run,
    config: DissectConfig,
    monitor: Monitor,
    *,
    input_spec: InputSpec = _NO_SPEC,
    factory: str = "",
    examples: tuple[str, ...] = (),
) -> list[Finding]:
    """Dissect the conversion of a run, write `dissect/` (for a lesson `lessons/<name>/`) and return the findings.

    A network that reads digits is exported again to get its PyTorch operators. For an imported model this needs its
    `factory`, whose code is run. Raises ConfigError if the model does not fit the lesson, ModelError if the reference
    runtime, or a step without which there is no result, crashes.
    """
    stage = stage_of(config.lesson)
    with stage_events(stage, monitor) as line:
        run.require("export")
        files = (*run.model_files, *_node_map(run, config))
        with run.write_stage(stage, config.to_json(), files) as draft:
            content = {
                "run": str(run.path),
                "config": config.to_json(),
                "inputs": input_spec.to_json(),
                "factory": factory,
                "examples": list(examples),
                "folder": str(draft.path),
            }
            monitor.emit(Progress(label=_("loading the libraries"), done=0, total=1))
            result = _dissect_in_worker(content, monitor)
            draft.result = {"findings": [item["kind"] for item in result["findings"]]}
        monitor.emit(Progress(label=_("dissected"), done=1, total=1))
        line.summary = result["headline"]
    return [dataclass_from_json(Finding, item) for item in result["findings"]]


def _dissect_in_worker(content: Content, monitor: Monitor) -> Content:
    """Dissect without the runtimes that crash; each crash becomes a finding."""
    dead: dict[str, str] = {}

    def forward(content: Content, arrays: Feeds) -> None:
        if (event := from_json(content)) is not None:
            monitor.emit(event)

    while True:
        with tempfile.TemporaryDirectory() as folder:
            note = Path(folder) / "at_work"
            try:
                task = {**content, "dead": dead, "note": str(note)}
                result, _arrays = shared().run(dissect_worker.run_task, task, notify=forward, seconds=_SECONDS)
                return result
            except DiedError as error:
                runtime = last_active(note)
                if not runtime or runtime == ONNX_RUNTIME.name or runtime in dead:
                    what = runtime or _("dissecting the model")
                    raise ModelError(_("{what}: {reason}", what=what, reason=error)) from error
                dead[runtime] = str(error)
                monitor.emit(
                    Message(text=_("{runtime}: {reason}; continuing without it", runtime=runtime, reason=error))
                )


def _node_map(run: Run, config: DissectConfig) -> list[str]:
    """The node map of the conversion, if there is one."""
    path = f"convert/{config.converter}/nodes.json"
    return [path] if (run.path / path).is_file() else []
