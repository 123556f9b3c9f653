"""The stage `dissect`: a conversion taken apart node by node → dissection.json, and the same for other viewers.

Like the benchmark it is not part of the pipeline. A lesson puts a fault into a copy first, and its dissection goes into
a folder of its own, `lessons/<name>`: nothing of the run changes. A worker does it all (`dissect_work.py`): where a
runtime ends its process, it is done again without that one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.active_runtime import noted_in
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.report.content import STAGE, stage_of
from convnet_core.errors import DiedError, ModelError
from convnet_core.events import Message, Monitor, Progress, from_json
from convnet_core.runs.run import Run
from convnet_core.runtimes.specs import ONNX_RUNTIME
from convnet_core.stages import dissect_worker
from convnet_core.stages.stage import stage_events
from convnet_core.tensors.arrays import Feeds
from convnet_core.tensors.model_inputs import InputSpec
from convnet_core.worker.client import shared
from convnet_core.worker.messages import Content

_NOTHING = InputSpec()
_SECONDS = 1800.0
"""Without a word of what is at work next; the search for the worst inputs of one runtime is one of the steps."""


def run_dissect(
    run: Run,
    config: DissectConfig,
    monitor: Monitor,
    *,
    input_spec: InputSpec = _NOTHING,
    factory: str = "",
    examples: tuple[str, ...] = (),
) -> list[Finding]:
    """Take the conversion of a run apart, write `dissect/` (of a lesson `lessons/<name>/`) and give what was found.

    A network for digits is exported once more, for PyTorch's own operators; a model from elsewhere has them where its
    `factory` is named, whose code is run. Raises ConfigError for a lesson that the model cannot give, ModelError where
    the reference, or what cannot be done without, ends the process.
    """
    with stage_events(STAGE, monitor) as line:
        run.require("export")
        files = (*run.model_files, *_converted(run, config))
        with run.write_stage(stage_of(config.lesson), config.to_json(), files) as draft:
            content = {
                "run": str(run.path),
                "config": config.to_json(),
                "inputs": input_spec.to_json(),
                "factory": factory,
                "examples": list(examples),
                "folder": str(draft.path),
            }
            made = _taken_apart(content, monitor)
            draft.result = {"findings": [item["kind"] for item in made["findings"]]}
        monitor.emit(Progress(label="taken apart", done=1, total=1))
        line.summary = made["headline"]
    return [Finding(**{**item, "runtimes": tuple(item["runtimes"])}) for item in made["findings"]]


def _taken_apart(content: Content, monitor: Monitor) -> Content:
    """Do it without the runtimes that end the process, each of which is a finding."""
    dead: dict[str, str] = {}

    def hear(content: Content, arrays: Feeds) -> None:
        if (event := from_json(content)) is not None:
            monitor.emit(event)

    while True:
        with tempfile.TemporaryDirectory() as folder:
            note = Path(folder) / "at_work"
            try:
                order = {**content, "dead": dead, "note": str(note)}
                made, _ = shared().run(dissect_worker.take_apart, order, notify=hear, seconds=_SECONDS)
                return made
            except DiedError as error:
                runtime = noted_in(note)
                if not runtime or runtime == ONNX_RUNTIME.name or runtime in dead:
                    raise ModelError(f"{runtime or 'taking the model apart'}: {error}") from error
                dead[runtime] = str(error)
                monitor.emit(Message(text=f"{runtime}: {error}; it is left out"))


def _converted(run: Run, config: DissectConfig) -> list[str]:
    """The record of the conversion, where there is one."""
    name = f"convert/{config.converter}/nodes.json"
    return [name] if (run.path / name).is_file() else []
