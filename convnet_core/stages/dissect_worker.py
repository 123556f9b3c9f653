"""The part of the stage `dissect` that runs in a worker process: build the case, dissect it, write the files."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from convnet_core.common.files import write_json
from convnet_core.config.stages import ConvertConfig, DissectConfig, ExportConfig
from convnet_core.convert import coverage
from convnet_core.data import digits as data
from convnet_core.dissect import cost
from convnet_core.dissect.active_runtime import start_recording
from convnet_core.dissect.case import Case, InputStatistics
from convnet_core.dissect.dissection import Dissection, dissect
from convnet_core.dissect.report import documents, graph_layout, sample_images, viewers, worst_inputs_file
from convnet_core.dissect.report.content import FILE, headline, report_of, title_of
from convnet_core.dissect.report.report_file import DissectionReport, Pictures
from convnet_core.errors import ConfigError, DataError, InputsError, UnsupportedNode
from convnet_core.events import Monitor, Progress
from convnet_core.graphs import from_onnx, graph_file
from convnet_core.graphs.cost import multiply_adds
from convnet_core.language import N_, _
from convnet_core.networks.ports import INPUT
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.onnx_files.refused_inputs import explain
from convnet_core.runs import names
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import TrainingResult
from convnet_core.tensors.arrays import Feeds, TensorInfo, batch_of, batched, fixed_batch
from convnet_core.tensors.model_inputs import InputSpec, draw_samples, read_samples
from convnet_core.worker.messages import Content, Message, Notify, Relay

_CALIBRATION = 200


_EVENT_SECONDS = 0.2


class _Reporter:
    """Emits the progress of a dissection: each new step, then at most every 0.2 s."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self._label, self._last = monitor, "", 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if label != self._label or now - self._last >= _EVENT_SECONDS:
            self._label, self._last = label, now
            self._monitor.emit(Progress(label=label, done=done, total=total))


def run_task(content: Content, arrays: Feeds, tell: Notify) -> Message:
    """Write the files of the stage into `folder` and return the `findings` and the `headline`. Sends events.

    `dead` lists the runtimes that crashed before, with the reason; they are skipped. `note` is the file that names the
    runtime in use.
    """
    run, monitor, folder = Run(Path(content["run"])), Relay(tell), Path(content["folder"])
    size = multiply_adds(graph_file.of_run(run))
    config = cost.decide(DissectConfig.from_json(content["config"]), size)
    input_spec = InputSpec.from_json(content["inputs"])
    start_recording(Path(content["note"]))
    with tempfile.TemporaryDirectory() as lesson:
        monitor.emit(Progress(label=_("opening the model"), done=0, total=1))
        case = _case(run, config, monitor, input_spec, content["factory"], tuple(content["examples"]))
        if config.lesson != "none":
            monitor.emit(Progress(label=_("inserting the fault, and converting"), done=0, total=1))
            case = _inject_fault(run, case, config, Path(lesson))
        case = dataclasses.replace(case, dead=content["dead"])
        try:
            dissection = dissect(case, config, _Reporter(monitor))
        except InputsError as error:
            raise explain(error, case.model, case.many, input_spec) from error
        title = title_of(names.title_of(run), config.lesson)
        report = _write(dissection, case, title, config, folder)
    findings = [dataclasses.asdict(item) for item in dissection.findings]
    return {"findings": findings, "headline": headline(report)}, {}


def _write(dissection: Dissection, case: Case, title: str, config: DissectConfig, folder: Path) -> DissectionReport:
    report = dataclasses.replace(
        report_of(dissection, title, config),
        samples=sample_images.encode_samples(case.many, dissection.labels),
        pictures=Pictures(graph_layout.lay_out_onnx(case.model), graph_layout.lay_out_tensorflow(case.entries)),
    )
    write_json(folder / FILE, report.to_json())
    write_json(folder / graph_file.FILE, from_onnx.read(case.model).to_json())
    worst_inputs_file.save(dissection.worst_inputs, folder)
    write_json(folder / "netron.json", viewers.netron(dissection.nodes))
    for runtime in dissection.runtimes[1:]:
        explorer = viewers.model_explorer(dissection.nodes, runtime, case.model.graph.name)
        write_json(folder / f"model_explorer.{runtime}.json", explorer)
    (folder / "report.html").write_text(documents.to_html(report), encoding="utf-8")
    (folder / "report.md").write_text(documents.to_markdown(report), encoding="utf-8")
    return report


def _case(
    run: Run, config: DissectConfig, monitor: Monitor, input_spec: InputSpec, factory: str, examples: tuple[str, ...]
) -> Case:
    path, stage = run.path / "export" / model_file.FILE, f"convert/{config.converter}"
    model = model_file.load(path)
    inputs = inputs_with_bounds(model)
    names = batched(inputs)
    refused: tuple[UnsupportedNode, ...] = ()
    if config.lesson == "none" and run.state(stage).state != "fresh":
        refused = coverage.refused_nodes(model, ConvertConfig(converter=config.converter))
    if not refused:
        run.require(stage)
    learned: InputStatistics | None
    if not run.is_model:
        digits = data.load(data_of(run), monitor)
        count = min(config.images, len(digits.test))
        many: Feeds = {INPUT: digits.test.first(count).scaled()}
        labels = digits.test.labels[:count].astype(np.int64)
        program, learned = _digits_program(run), _training_images(run, digits)
    else:
        many = draw_samples(input_spec, inputs, min(config.images, 64), config.seed)
        labels, program = None, _program(run, factory, examples)
        learned = _int8_calibration(run, stage, input_spec, inputs)
    rng = np.random.default_rng(config.seed)
    count = len(next((many[name] for name in sorted(names)), np.zeros(1)))
    picks = np.sort(rng.choice(count, min(fixed_batch(inputs) or config.samples, count), replace=False))
    few = {name: array[picks] if name in names else array for name, array in many.items()}
    folder = None if refused else run.path / stage
    return Case(path, program, folder, few, many, names, labels, learned, config.converter, refused)


def _training_images(run: Run, digits: data.Digits) -> InputStatistics:
    """The range of the training images, and the test accuracy if the run was trained here."""
    record = run.record("train")
    accuracy = None if record is None else record.result_as(TrainingResult).test_accuracy
    return InputStatistics.of(digits.train.first(_CALIBRATION).scaled(), accuracy)


def _int8_calibration(
    run: Run, stage: str, input_spec: InputSpec, inputs: tuple[TensorInfo, ...]
) -> InputStatistics | None:
    """The range of the calibration samples; None if they were not a file, or if the inputs are random numbers."""
    record = run.record(stage)
    path = None if record is None else record.result.get("calibration")
    first = next((info for info in inputs if info.dtype.startswith("float")), None)
    if not path or first is None or first.name not in input_spec.files:
        return None
    with contextlib.suppress(DataError):  # the file is gone
        return InputStatistics.of(read_samples(Path(path), inputs)[first.name], None, N_("int8 was calibrated on"))
    return None


def _digits_program(run: Run) -> Any:
    from convnet_core.export.onnx_export import export

    network, exporting = _network(run)
    return export(network, exporting).program


def _network(run: Run) -> tuple[Any, ExportConfig]:
    from convnet_core.networks.convnet import from_weights
    from convnet_core.networks.weights import read_weights

    path = run.path / "export/model.safetensors"
    network = from_weights(read_weights(path), str(path))[1]
    return network, ExportConfig.from_json(run.require("export").config)


def _program(run: Run, factory: str, examples: tuple[str, ...]) -> Any:
    if not factory:
        return None
    from convnet_core.export.factory import load_factory
    from convnet_core.export.onnx_export import export_any

    network = load_factory(factory, examples)
    config = ExportConfig.from_json(run.require("export").config)
    return export_any(network.model, network.example, config, network.named).program


def _inject_fault(run: Run, case: Case, config: DissectConfig, folder: Path) -> Case:
    from convnet_core.dissect.lessons import LESSONS, LessonSetup

    if run.is_model:
        raise ConfigError(_("lessons need a network that reads digits"), hint=_("use a run that the pipeline created"))
    network, exporting = _network(run)
    converting = ConvertConfig.from_json(run.require(f"convert/{config.converter}").config)
    calibration = batch_of(case.many, 0, _CALIBRATION, case.batched)
    lesson = LESSONS[config.lesson][0]
    return lesson(LessonSetup(case, network, exporting, converting, calibration, folder))
