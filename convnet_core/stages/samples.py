"""What a run's model is calibrated and compared with: digits, or for any other model drawn or given samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from convnet_core.compare.measure import TEST, InputSet
from convnet_core.config.stages import CompareConfig, ConvertConfig, DataConfig
from convnet_core.data import digits as data
from convnet_core.data.split import Split
from convnet_core.errors import ModelError
from convnet_core.events import Message, Monitor
from convnet_core.networks.convnet import INPUT
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.onnx_files.precision import output_precisions
from convnet_core.runs import drawings
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import Feeds, TensorInfo, batched, fixed_batch, zeros
from convnet_core.tensors.model_inputs import InputSpec, draw_samples, fingerprint, read_samples

_MOST_DRAWN = 64
"""Samples that are drawn for a model that may be large."""


@dataclass(frozen=True)
class Calibration:
    """Samples [n, ...] for each input, where they come from, and their SHA-256."""

    feeds: Feeds
    record: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class ComparisonInputs:
    """Input sets to compare on, the batch sizes to run them at, and the test images where there are any.

    `precisions` are those of the model's outputs, by name (`precision.output_precisions`).
    """

    inputs: list[InputSet]
    batch_sizes: tuple[int, ...]
    record: dict[str, Any]
    fingerprint: str
    name: str
    images: NDArray[np.uint8] | None = None
    precisions: dict[str, str] = field(default_factory=dict)


def calibration(
    run: Run,
    config: ConvertConfig,
    monitor: Monitor,
    data_config: DataConfig | None,
    input_spec: InputSpec,
    samples: Path | None,
) -> Calibration:
    """What fixes the ranges of int8: training images, samples from a file, or drawn ones."""
    if samples is not None:
        feeds = read_samples(samples, _inputs(run))
        return Calibration(feeds, {"calibration": str(samples)}, fingerprint(feeds))
    if not run.is_model:
        data_config = data_config or data_of(run)
        digits = data.load(data_config, monitor)
        size = min(config.calibration_size, len(digits.train))
        chosen = np.random.default_rng(config.seed).choice(len(digits.train), size, replace=False)
        images = Split(digits.train.images[chosen], digits.train.labels[chosen]).scaled()
        return Calibration({INPUT: images}, {"data": data_config.to_json()}, digits.fingerprint)
    monitor.emit(Message(text="int8 is calibrated on random numbers: give --calibration samples.npz for real ones"))
    try:
        feeds = draw_samples(input_spec, _inputs(run), min(config.calibration_size, _MOST_DRAWN), config.seed)
    except ModelError as error:  # what needs no samples can still be made
        monitor.emit(Message(text=f"no samples for int8: {error}"))
        feeds = {}
    return Calibration(feeds, {"inputs": input_spec.to_json()}, fingerprint(feeds))


def comparison_inputs(
    run: Run, config: CompareConfig, monitor: Monitor, data_config: DataConfig | None, input_spec: InputSpec
) -> ComparisonInputs:
    """What the runtimes are compared on."""
    if run.is_model:
        return _drawn(model_of(run), config, input_spec)
    data_config = data_config or data_of(run)
    digits = data.load(data_config, monitor)
    kept = drawings.list_drawings(run)
    inputs = [*digit_inputs(digits.test, config), *_drawings(run, kept)]
    record = {"data": data_config.to_json()}
    return ComparisonInputs(inputs, config.batch_sizes, record, digits.fingerprint, digits.name, digits.test.images)


def digit_inputs(test: Split, config: CompareConfig) -> list[InputSet]:
    """The whole test set, Gaussian noise, zeros, and test images times 1,000."""
    images = test.scaled()
    shape = (config.samples, *images.shape[1:])
    noise = np.random.default_rng(config.seed).standard_normal(shape).astype(np.float32)
    return [
        InputSet(TEST, {INPUT: images}, test.labels.astype(np.int64)),
        InputSet("noise", {INPUT: noise}),
        InputSet("zeros", {INPUT: np.zeros(shape, np.float32)}),
        InputSet("times 1000", {INPUT: images[: config.samples] * np.float32(1000)}),
    ]


def _drawings(run: Run, kept: list[drawings.SavedDrawing]) -> list[InputSet]:
    """The drawings that were kept as test cases, where there are any."""
    if not kept:
        return []
    images, labels = drawings.load_images(run, kept)
    return [InputSet("drawings", {INPUT: images}, labels)]


def _drawn(model: onnx.ModelProto, config: CompareConfig, input_spec: InputSpec) -> ComparisonInputs:
    """Samples of the declared types and shapes; a model that takes one batch size is run at that one."""
    inputs = inputs_with_bounds(model)
    feeds = input_spec.samples(inputs, min(config.samples, _MOST_DRAWN), config.seed)
    fixed = fixed_batch(input_spec.apply_shapes(inputs))
    sizes = config.batch_sizes if fixed is None else (max(fixed, 1),)
    name = "given samples" if input_spec.files else "drawn samples"
    names = batched(inputs)
    fed = {name: feeds, "zeros": zeros(input_spec.apply_shapes(inputs), feeds)}
    sets = [InputSet(label, arrays, batched=names) for label, arrays in fed.items()]
    record = {"inputs": input_spec.to_json()}
    return ComparisonInputs(sets, sizes, record, fingerprint(feeds), name, precisions=output_precisions(model))


def _inputs(run: Run) -> tuple[TensorInfo, ...]:
    return inputs_with_bounds(model_of(run))


def model_of(run: Run) -> onnx.ModelProto:
    """The ONNX model that the run holds. Raises ModelError."""
    return model_file.load(run.path / "export" / model_file.FILE)
