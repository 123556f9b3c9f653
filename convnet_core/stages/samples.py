"""The inputs for calibration and comparison: digits, or for any other model samples from a file or random ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.compare.measure import SAMPLE, InputSet, evenly_spaced
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig, ConvertConfig, DataConfig
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.data import digits as data
from convnet_core.data.split import Split
from convnet_core.errors import ModelError
from convnet_core.events import Message, Monitor
from convnet_core.language import _
from convnet_core.networks.ports import INPUT
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.onnx_files.precision import output_precisions
from convnet_core.runs import drawings
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import Feeds, batched, fixed_batch, zeros
from convnet_core.tensors.model_inputs import InputSpec, draw_samples, fingerprint, read_samples

_MOST_SAMPLES = 64
"""The most random samples for a model, which may be large."""


@dataclass(frozen=True)
class Calibration:
    """Samples [n, ...] by input name, what to record about their origin, and their SHA-256."""

    feeds: Feeds
    record: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class ComparisonInputs:
    """Input sets to compare on, the batch sizes to run them at, and the test images uint8, if there are any.

    `record` tells their origin, `fingerprint` is their SHA-256, `name` is for people. `precisions` are the precisions
    of the model's outputs, by name (`precision.output_precisions`).
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
    model: LoadedModel,
    config: ConvertConfig,
    monitor: Monitor,
    data_config: DataConfig | None,
    input_spec: InputSpec,
    samples: Path | None,
) -> Calibration:
    """The samples that determine the int8 ranges: training images, samples from a file, or random ones."""
    if samples is not None:
        feeds = read_samples(samples, inputs_with_bounds(model.proto))
        return Calibration(feeds, {"calibration": str(samples)}, fingerprint(feeds))
    if not run.is_model:
        data_config = data_config or data_of(run)
        digits = data.load(data_config, monitor)
        size = min(config.calibration_size, len(digits.train))
        picks = np.random.default_rng(config.seed).choice(len(digits.train), size, replace=False)
        images = Split(digits.train.images[picks], digits.train.labels[picks]).scaled()
        return Calibration({INPUT: images}, {"data": data_config.to_json()}, digits.fingerprint)
    monitor.emit(
        Message(text=_("int8 is calibrated on random numbers, not on real samples (--calibration samples.npz)"))
    )
    size = min(config.calibration_size, _MOST_SAMPLES)
    try:
        feeds = draw_samples(input_spec, inputs_with_bounds(model.proto), size, config.seed)
    except ModelError as error:  # the other files need no samples
        monitor.emit(Message(text=_("no samples for int8: {reason}", reason=error)))
        feeds = {}
    return Calibration(feeds, {"inputs": input_spec.to_json()}, fingerprint(feeds))


def comparison_inputs(
    run: Run,
    model: LoadedModel,
    config: CompareConfig,
    monitor: Monitor,
    data_config: DataConfig | None,
    input_spec: InputSpec,
) -> ComparisonInputs:
    """The inputs to compare the runtimes on."""
    if run.is_model:
        return _model_inputs(model, config, input_spec)
    data_config = data_config or data_of(run)
    digits = data.load(data_config, monitor)
    inputs = [*digit_inputs(digits.test, config), *_drawings(run, drawings.list_drawings(run))]
    record = {"data": data_config.to_json()}
    return ComparisonInputs(inputs, config.batch_sizes, record, digits.fingerprint, digits.name, digits.test.images)


def digit_inputs(test: Split, config: CompareConfig) -> list[InputSet]:
    """The test set, Gaussian noise, zeros, and test images times 1,000.

    Unless `config.full`, only the largest batch size runs the whole test set, and the others a sample of it.
    """
    images = test.scaled()
    noise = np.random.default_rng(config.seed).standard_normal((config.samples, *images.shape[1:])).astype(np.float32)
    zeros = np.zeros((_zeros(config), *images.shape[1:]), np.float32)
    return [
        *_test_sets(InputSet(TEST, {INPUT: images}, test.labels.astype(np.int64)), config),
        InputSet("noise", {INPUT: noise}),
        InputSet("zeros", {INPUT: zeros}),
        InputSet("times 1000", {INPUT: images[: config.samples] * np.float32(1000)}),
    ]


def _zeros(config: CompareConfig) -> int:
    """Samples that are all the same need no more than a full batch and one that is not full."""
    return max(config.batch_sizes) * 3 // 2


def _test_sets(test: InputSet, config: CompareConfig) -> list[InputSet]:
    largest = max(config.batch_sizes)
    others = tuple(size for size in config.batch_sizes if size != largest)
    if config.full or not others or test.count <= SAMPLE:
        return [test]
    assert test.labels is not None
    places = evenly_spaced(test.count, SAMPLE)
    sample = InputSet(TEST, {INPUT: test.feeds[INPUT][places]}, test.labels[places], batch_sizes=others)
    return [replace(test, batch_sizes=(largest,)), sample]


def _drawings(run: Run, cases: list[drawings.SavedDrawing]) -> list[InputSet]:
    """The drawings that were kept as test cases, if there are any."""
    if not cases:
        return []
    images, labels = drawings.load_images(run, cases)
    return [InputSet("drawings", {INPUT: images}, labels)]


def _model_inputs(model: LoadedModel, config: CompareConfig, input_spec: InputSpec) -> ComparisonInputs:
    """Samples of the declared dtypes and shapes; a model with a fixed batch runs at that batch size."""
    inputs = inputs_with_bounds(model.proto)
    feeds = input_spec.samples(inputs, min(config.samples, _MOST_SAMPLES), config.seed)
    fixed = fixed_batch(input_spec.apply_shapes(inputs))
    sizes = config.batch_sizes if fixed is None else (max(fixed, 1),)
    name = "given samples" if input_spec.files else "drawn samples"
    feeds_by_set = {name: feeds, "zeros": zeros(input_spec.apply_shapes(inputs), feeds)}
    sets = [InputSet(label, arrays, batched=batched(inputs)) for label, arrays in feeds_by_set.items()]
    record = {"inputs": input_spec.to_json()}
    return ComparisonInputs(sets, sizes, record, fingerprint(feeds), name, precisions=output_precisions(model.proto))
