"""The stage `train`: data → weights, with checkpoints along the way."""

from __future__ import annotations

import contextlib
import dataclasses

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from convnet_core.common.files import write_json
from convnet_core.config.stages import TrainConfig
from convnet_core.data import digits as data
from convnet_core.data.split import CLASSES
from convnet_core.events import Message, Monitor, Settings
from convnet_core.jobs.job import device_lock
from convnet_core.jobs.watcher import wait_for_stop
from convnet_core.language import plural
from convnet_core.networks.convnet import build
from convnet_core.networks.weights import save_pth
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, FORK
from convnet_core.runs.stage_results import TrainingResult
from convnet_core.stages.stage import stage_events
from convnet_core.training import checkpoint, fork, loop, speed
from convnet_core.training.estimate import describe_cost, formula_seconds
from convnet_core.training.history import Mistake, TrainingReport
from convnet_core.training.loop import Evaluation, Tensors, Training
from convnet_core.training.preview import Previewer, to_base64

_MISTAKES = 24
_MEASURABLE = 3.0  # seconds; a shorter training says more about its start than about its speed


def run_train(
    run: Run,
    config: TrainConfig,
    monitor: Monitor,
    *,
    resume: bool = False,
    parent: Run | None = None,
    repeat: bool = False,
) -> TrainingResult:
    """Train, evaluate once on the test set, and write `train/`.

    With `resume` the config comes from the checkpoint, and `config` is ignored. Otherwise the training starts from the
    newest training of `parent`, which is waited for while it stops, from what it started from before (`repeat`), or
    from scratch. Raises Stopped after saving a checkpoint if a stop was requested.
    """
    with stage_events("train", monitor) as line:
        if resume:
            config = checkpoint.saved_config(run)
        device = loop.choose_device(config)
        monitor.emit(Settings(config=config.to_json()))
        monitor.emit(Message(text=describe_cost(config)))
        if parent:
            wait_for_stop(parent, monitor)
        with device_lock(device.type, monitor):
            digits = data.load(config.data, monitor)
            state = loop.start_training(build(config.model, config.seed), config, device)
            if resume:
                checkpoint.restore(run, state, digits.fingerprint)
            else:
                run.discard(CHECKPOINT)
                if not repeat:
                    run.discard(FORK)
                if parent:
                    fork.take(run, parent, config, digits.fingerprint, monitor)
                fork.start(run, state, digits.fingerprint)
            train, validation = loop.split_off_validation(Tensors.of(digits.train), config)

            def save(current: Training) -> None:
                checkpoint.save(run, current, config, digits.fingerprint)

            test = Tensors.of(digits.test).to(device)
            preview = Previewer(test).take
            held_out = validation and validation.to(device)
            is_whole = not (state.progress.epoch or state.progress.batch)
            with monitor.defer_stop():
                loop.fit(state, train.to(device), held_out, config, monitor, save, preview)
            if is_whole and state.progress.seconds >= _MEASURABLE:
                with contextlib.suppress(OSError):  # the speed only makes the next estimate better
                    speed.record_factor(config, state.progress.seconds / formula_seconds(config))
            evaluation = loop.evaluate(state.model, test)
        result = TrainingResult(evaluation.accuracy, evaluation.loss, round(state.progress.seconds, 3), str(device))
        _write(run, config, digits.fingerprint, state, evaluation, test, result)
        line.summary = plural(
            "{percent:.2f} % of {total} test image",
            "{percent:.2f} % of {total} test images",
            len(test),
            percent=100 * result.test_accuracy,
            total=len(test),
        )
    return result


def _write(
    run: Run,
    config: TrainConfig,
    fingerprint: str,
    state: Training,
    evaluation: Evaluation,
    test: Tensors,
    result: TrainingResult,
) -> None:
    forked = tuple(path for path in (fork.STATE,) if (run.path / path).is_file())
    with run.write_stage("train", config.to_json(), forked) as draft:
        draft.inputs["data"] = fingerprint
        draft.result = vars(result)
        weights = {name: value.detach().cpu().contiguous() for name, value in state.model.state_dict().items()}
        save_file(weights, draft.path / "model.safetensors")
        save_pth(weights, draft.path / "model.pth")
        labels = test.labels.cpu()
        cells = evaluation.logits.argmax(1) + CLASSES * labels
        confusion = torch.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        figures = TrainingReport(
            result,
            tuple(map(tuple, confusion.tolist())),
            state.progress.history,
            _worst_mistakes(evaluation.logits, test),
        )
        write_json(draft.path / "metrics.json", dataclasses.asdict(figures))
    run.discard(CHECKPOINT)


def _worst_mistakes(logits: Tensor, test: Tensors) -> tuple[Mistake, ...]:
    """The misread test images with the highest loss, the worst first."""
    labels = test.labels.cpu()
    losses = F.cross_entropy(logits, labels, reduction="none")
    answers = logits.argmax(1)
    wrong = (answers != labels).nonzero().flatten()
    worst = wrong[losses[wrong].argsort(descending=True)][:_MISTAKES]
    probabilities = logits.softmax(1)
    return tuple(
        Mistake(
            index,
            int(labels[index]),
            int(answers[index]),
            round(float(probabilities[index, answers[index]]), 4),
            to_base64(test.images[index].cpu()),
        )
        for index in worst.tolist()
    )
