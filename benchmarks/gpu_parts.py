"""What `benchmarks.gpu` tries, a row of its table each. Raises NotReached where the time is over."""

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
from convnet_core.networks.convnet import INPUT, OUTPUT, build
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from convnet_core.training import loop
from convnet_core.training.loop import Tensors
from convnet_core.training.optimizer import learning_rate
from convnet_core.training.steps import make_step, scaled

CPU = torch.device("cpu")
EARLY = 5
"""Steps after which losses are looked at, and after all."""

ALLOWED = {"float32": (1e-3, 2e-2), "bfloat16": (5e-3, 4e-2)}
"""How far losses may lie apart, of the loss: within the early steps, and within all."""

POINTS = 1.5
"""Percent of the test set by which the accuracies of a short training may differ; seeds differ by about one."""

Row = dict[str, Any]


class NotReached(Exception):
    """The time is over."""


class Until(Monitor):
    """Asks a training to stop when its time is over, or after so many batches."""

    def __init__(self, end: float, batches: float = float("inf")) -> None:
        self._end, self._left = end, batches

    def late(self) -> bool:
        return time.monotonic() > self._end

    def stop_requested(self) -> bool:
        self._left -= 1
        return self._left < 0 or self.late()


@dataclass(frozen=True)
class Plan:
    """The device that is tried, the digits (on the CPU), and how much of them: `steps` whose losses are compared, and
    `images` and `epochs` of a training that is short enough for the CPU.
    """

    device: torch.device
    train: Tensors
    test: Tensors
    steps: int
    images: int
    epochs: int


def losses(plan: Plan, config: TrainConfig, device: torch.device, end: float) -> Tensor:
    """The loss of each of the first steps, float64 [steps], without augmentation."""
    config = config.replace(augment=AugmentConfig())
    state, train, monitor = _begun(config, device), plan.train.to(device), Until(end)
    step = make_step(state, train, config)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(config.seed)).to(device)
    total = config.epochs * len(train) // config.batch_size
    found = []
    for place, batch in enumerate(torch.split(order, config.batch_size)[: plan.steps]):
        if monitor.stop_requested():
            raise NotReached
        loss, _ = step(batch, learning_rate(config, place, total))
        found.append(loss.clone())  # a graph leaves each result in the same tensor
    return torch.stack(found).double().cpu()


def compare_losses(plan: Plan, config: TrainConfig, expected: Tensor, end: float) -> Row:
    """The device's losses step by step, against the CPU's."""
    apart = (losses(plan, config, plan.device, end) / expected - 1).abs()
    early, every = ALLOWED[config.precision]
    found = {
        "first": float(apart[0]),
        f"first {EARLY}": float(apart[:EARLY].max()),
        f"all {len(apart)}": float(apart.max()),
    }
    return {
        "apart": found,
        "allowed": [early, every],
        "ok": bool(apart[:EARLY].max() <= early and apart.max() <= every),
    }


def train(plan: Plan, config: TrainConfig, device: torch.device, end: float, *, short: bool) -> tuple[nn.Module, Row]:
    """A training as the presets do it, or a short one without validation; accuracy in percent of the test set."""
    part = plan.train
    if short:
        config = config.replace(epochs=plan.epochs, validation_size=0)
        part = Tensors(part.images[: plan.images], part.labels[: plan.images])
    learned, held = loop.split_off_validation(part, config)
    state = _begun(config, device)
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
    """A short training's accuracy, against the CPU's in float32."""
    _, row = train(plan, config, plan.device, end, short=True)
    return {**row, "accuracy of the CPU": expected, "ok": abs(row["accuracy"] - expected) <= POINTS}


def whole(plan: Plan, config: TrainConfig, least: float, end: float) -> Row:
    """A preset as it is, which has to become as good as the CPU's short training at the least."""
    _, row = train(plan, config, plan.device, end, short=False)
    return {**row, "ok": row["accuracy"] >= least - POINTS}


def resume(config: TrainConfig, folder: Path, end: float) -> Row:
    """A training in one go, again, and stopped and resumed: the same weights, bit for bit."""
    config = config.replace(data=DataConfig(train_size=1230, test_size=400), epochs=2, validation_size=200)
    found = {}
    for name, batches in (("whole", None), ("again", None), ("resumed", 13)):
        run = Run.create(folder / name)
        try:
            if batches is not None:
                with_stop(run, config, Until(end, batches))
            run_train(run, config, Until(end), resume=batches is not None)
        except Stopped as error:
            raise NotReached from error
        found[name] = digest(run.path / "train/model.safetensors")
    same = {name: value == found["whole"] for name, value in found.items() if name != "whole"}
    return {"the same weights": same, "ok": all(same.values())}


def with_stop(run: Run, config: TrainConfig, monitor: Until) -> None:
    """The part of a training before its stop. Raises Stopped where the time is over."""
    try:
        run_train(run, config, monitor)
    except Stopped:
        if monitor.late():
            raise


def export(plan: Plan, config: TrainConfig, end: float) -> Row:
    """A network that was trained on the device: on the CPU and as ONNX it gives the same.

    By PyTorch's older exporter and onnx.reference: the new one needs onnxscript, and `convnet_core.export.onnx_export`
    ONNX Runtime and more.
    """
    model, _ = train(plan, config, plan.device, end, short=True)
    images = plan.test.images[:8]
    with torch.no_grad():
        there = model.eval()(scaled(images.to(plan.device))).float().cpu().numpy()
        here = model.cpu()(scaled(images)).numpy()
    file = io.BytesIO()
    axes = {name: {0: "batch"} for name in (INPUT, OUTPUT)}
    names = {"input_names": [INPUT], "output_names": [OUTPUT], "dynamic_axes": axes}
    torch.onnx.export(model, (scaled(images[:2]),), file, **names, opset_version=ExportConfig().opset, dynamo=False)
    exported = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(exported, full_check=True)
    (answer,) = ReferenceEvaluator(exported).run(None, {INPUT: scaled(images).numpy()})
    tolerance = CompareConfig()
    allowed = float(tolerance.atol + tolerance.rtol * np.abs(here).max())
    apart = {"device": float(np.abs(there - here).max()), "ONNX": float(np.abs(answer - here).max())}
    return {
        "exporter": "torch.onnx.export(dynamo=False)",
        "from PyTorch on the CPU": apart,
        "allowed": allowed,
        "ok": max(apart.values()) <= allowed,
    }


def _begun(config: TrainConfig, device: torch.device) -> loop.Training:
    state = loop.begin(build(config.model, config.seed), config, device)
    state.model.train()
    return state
