"""The checks of `benchmarks.gpu`, one per table row. They raise NotReached when time runs out."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx.checker
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from convnet_core.common.files import digest
from convnet_core.config.stages import AugmentConfig, CompareConfig, DataConfig, ExportConfig, TrainConfig
from convnet_core.errors import Stopped
from convnet_core.events import Monitor
from convnet_core.networks.convnet import build
from convnet_core.networks.ports import INPUT, OUTPUT
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from convnet_core.training import loop
from convnet_core.training.loop import Tensors
from convnet_core.training.schedule import learning_rate
from convnet_core.training.steps import make_step, scale_pixels

CPU = torch.device("cpu")
EARLY = 5
"""Losses are checked after this many steps, and after all."""

ALLOWED = {"float32": (1e-3, 2e-2), "bfloat16": (5e-3, 4e-2)}
"""Largest relative difference of losses allowed within the early steps, and within all."""

POINTS = 1.5
"""Allowed difference in accuracy of a short training, in percentage points; seeds differ by about one."""

Row = dict[str, Any]


class NotReached(Exception):
    """The time limit was reached."""


class Until(Monitor):
    """Stops a training at a deadline, or after a number of batches."""

    def __init__(self, end: float, batches: float = float("inf")) -> None:
        self._end, self._left = end, batches

    def late(self) -> bool:
        return time.monotonic() > self._end

    def stop_requested(self) -> bool:
        self._left -= 1
        return self._left < 0 or self.late()


@dataclass(frozen=True)
class Plan:
    """The device to check, the digits (on the CPU), the number of `steps` whose losses are compared, and the `images`
    and `epochs` of the short training.
    """

    device: torch.device
    train: Tensors
    test: Tensors
    steps: int
    images: int
    epochs: int


def losses(plan: Plan, config: TrainConfig, device: torch.device, end: float) -> Tensor:
    """The losses of the first steps without augmentation, float64 [steps]."""
    config = config.replace(augment=AugmentConfig())
    state, train, monitor = _begin_training(config, device), plan.train.to(device), Until(end)
    step = make_step(state, train, config)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(config.seed)).to(device)
    total = config.epochs * len(train) // config.batch_size
    values = []
    for index, batch in enumerate(torch.split(order, config.batch_size)[: plan.steps]):
        if monitor.stop_requested():
            raise NotReached
        loss, _ = step(batch, learning_rate(config, index, total))
        values.append(loss.clone())  # a CUDA graph writes every result to the same tensor
    return torch.stack(values).double().cpu()


def compare_losses(plan: Plan, config: TrainConfig, expected: Tensor, end: float) -> Row:
    """Compare the device's losses with the CPU's, step by step."""
    differences = (losses(plan, config, plan.device, end) / expected - 1).abs()
    early_limit, limit = ALLOWED[config.precision]
    largest = {
        "first": float(differences[0]),
        f"first {EARLY}": float(differences[:EARLY].max()),
        f"all {len(differences)}": float(differences.max()),
    }
    return {
        "apart": largest,
        "allowed": [early_limit, limit],
        "ok": bool(differences[:EARLY].max() <= early_limit and differences.max() <= limit),
    }


def train(plan: Plan, config: TrainConfig, device: torch.device, end: float, *, short: bool) -> tuple[nn.Module, Row]:
    """Train with a preset, or briefly and without validation; accuracy is in percent of the test set."""
    part = plan.train
    if short:
        config = config.replace(epochs=plan.epochs, validation_size=0)
        part = Tensors(part.images[: plan.images], part.labels[: plan.images])
    learned, held = loop.split_off_validation(part, config)
    state = _begin_training(config, device)
    try:
        loop.fit(state, learned.to(device), held and held.to(device), config, Until(end))
    except Stopped as error:
        raise NotReached from error
    accuracy = 100 * loop.evaluate(state.model, plan.test.to(device)).accuracy
    images = config.epochs * len(learned)
    seconds = state.progress.seconds
    row = {"accuracy": round(accuracy, 2), "seconds": round(seconds, 3), "images per second": round(images / seconds)}
    return state.model, row


def compare_accuracy(plan: Plan, config: TrainConfig, expected: float, end: float) -> Row:
    """Compare a short training's accuracy with that of the CPU in float32."""
    _, row = train(plan, config, plan.device, end, short=True)
    return {**row, "accuracy of the CPU": expected, "ok": abs(row["accuracy"] - expected) <= POINTS}


def whole(plan: Plan, config: TrainConfig, least: float, end: float) -> Row:
    """Train a full preset; it must be at least as accurate as the CPU's short training."""
    _, row = train(plan, config, plan.device, end, short=False)
    return {**row, "ok": row["accuracy"] >= least - POINTS}


def resume(config: TrainConfig, folder: Path, end: float) -> Row:
    """Train in one go, repeat it, and stop and resume; all three must give the same weights, bit for bit."""
    config = config.replace(data=DataConfig(train_size=1230, test_size=400), epochs=2, validation_size=200)
    digests = {}
    for name, batches in (("whole", None), ("again", None), ("resumed", 13)):
        run = Run.create(folder / name)
        try:
            if batches is not None:
                train_until_stopped(run, config, Until(end, batches))
            run_train(run, config, Until(end), resume=batches is not None)
        except Stopped as error:
            raise NotReached from error
        digests[name] = digest(run.path / "train/model.safetensors")
    matches = {name: value == digests["whole"] for name, value in digests.items() if name != "whole"}
    return {"the same weights": matches, "ok": all(matches.values())}


def train_until_stopped(run: Run, config: TrainConfig, monitor: Until) -> None:
    """Train until the monitor stops it. Raises Stopped if the deadline has passed."""
    try:
        run_train(run, config, monitor)
    except Stopped:
        if monitor.late():
            raise


def export(plan: Plan, config: TrainConfig, end: float) -> Row:
    """A network trained on the device gives the same output there, on the CPU and as ONNX.

    Uses PyTorch's older exporter and onnx.reference, since the new exporter needs onnxscript, and
    `convnet_core.export.onnx_export` needs ONNX Runtime and more.
    """
    model, _ = train(plan, config, plan.device, end, short=True)
    images = plan.test.images[:8]
    with torch.no_grad():
        device_output = model.eval()(scale_pixels(images.to(plan.device))).float().cpu().numpy()
        cpu_output = model.cpu()(scale_pixels(images)).numpy()
    file = io.BytesIO()
    axes = {name: {0: "batch"} for name in (INPUT, OUTPUT)}
    opset = ExportConfig().opset
    torch.onnx.export(
        model, (scale_pixels(images[:2]),), file,  # type: ignore[arg-type]  # the old exporter takes a file, too
        input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=axes, opset_version=opset, dynamo=False,
    )  # fmt: skip
    exported = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(exported, full_check=True)
    (onnx_output,) = ReferenceEvaluator(exported).run(None, {INPUT: scale_pixels(images).numpy()})
    tolerance = CompareConfig()
    allowed = float(tolerance.atol + tolerance.rtol * np.abs(cpu_output).max())
    differences = {
        "device": float(np.abs(device_output - cpu_output).max()),
        "ONNX": float(np.abs(onnx_output - cpu_output).max()),
    }
    return {
        "exporter": "torch.onnx.export(dynamo=False)",
        "from PyTorch on the CPU": differences,
        "allowed": allowed,
        "ok": max(differences.values()) <= allowed,
    }


def _begin_training(config: TrainConfig, device: torch.device) -> loop.Training:
    state = loop.start_training(build(config.model, config.seed), config, device)
    state.model.train()
    return state
