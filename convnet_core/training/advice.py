"""What the figures of a training mean, in sentences for the user. Does not import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convnet_core.common.formatting import join_clauses
from convnet_core.config.stages import TrainConfig
from convnet_core.data.split import CLASSES
from convnet_core.events import Metrics
from convnet_core.language import _
from convnet_core.training.schedule import WARM_UP

CHANCE = 1 / CLASSES
"""The accuracy of guessing."""
GUESS_LOSS = math.log(CLASSES)
"""The cross-entropy of giving each digit the same probability: 2.30."""
_NEAR_CHANCE = 0.15
_FIRST_STEPS = 50  # a network may take as long to leave the accuracy of guessing
_HIGH_LOSS = 1.5 * GUESS_LOSS  # a network that has learned nothing starts below 2.5; one that diverges reaches 6
_EVENTS = 3  # in a row near chance


def lowest_loss(label_smoothing: float) -> float:
    """The lowest loss that any network can reach in training: the entropy of the smoothed target."""
    other = label_smoothing / CLASSES
    truth = 1 - label_smoothing + other
    rest = -(CLASSES - 1) * other * math.log(other) if other else 0.0
    return -truth * math.log(truth) + rest


def explain_gap(history: Sequence[Metrics], config: TrainConfig) -> str:
    """Why the training loss is above the validation loss; empty if it is not, or if nothing is known of it."""
    compared = [item for item in history if item.validation_loss is not None and item.loss > item.validation_loss]
    reasons = []
    if config.label_smoothing:
        floor = lowest_loss(config.label_smoothing)
        reasons.append(
            _(
                "label smoothing of {smoothing:g} asks the network not to be too sure, so no training loss can fall "
                "below {floor:.2f}, and validation is measured without it",
                smoothing=config.label_smoothing,
                floor=floor,
            )
        )
    if config.augment:
        reasons.append(_("the training images are distorted, and the validation images are not"))
    if not compared or not reasons:
        return ""
    return _("Training loss lies above validation loss: {reasons}.", reasons=join_clauses(reasons))


def warn_of_learning_rate(history: Sequence[Metrics], config: TrainConfig) -> str:
    """A warning if the learning rate is probably wrong; empty if the training looks fine, or still warms up.

    A loss that has been far above that of guessing, or rises far above its lowest, tells a rate that is too high. An
    accuracy near that of guessing without it may come from a rate that is too low as well.
    """
    newest = history[-1]
    if config.schedule == "onecycle" and newest.step < WARM_UP * newest.total_steps:
        return ""
    lowest, highest = min(item.loss for item in history), max(item.loss for item in history)
    is_stuck = newest.step >= _FIRST_STEPS and all(item.accuracy < _NEAR_CHANCE for item in history[-_EVENTS:])
    if is_stuck and highest > _HIGH_LOSS:
        return _(
            "The accuracy is stuck near {chance:.0f} %, which is what guessing gets, and the loss has been as "
            "high as {highest:.3g}. A learning rate of {rate:g} is probably too high: choose a lower one and "
            "train again.",
            chance=100 * CHANCE,
            highest=highest,
            rate=config.learning_rate,
        )
    if is_stuck:
        return _(
            "The accuracy is stuck near {chance:.0f} %, which is what guessing gets. A learning rate of {rate:g} "
            "is probably too high or too low: choose another one and train again.",
            chance=100 * CHANCE,
            rate=config.learning_rate,
        )
    if newest.loss > max(2 * lowest, GUESS_LOSS):
        return _(
            "The loss has risen from {lowest:.2f} to {newest:.2f}; guessing would get {guess:.2f}. A learning "
            "rate of {rate:g} is probably too high: choose a lower one and train again.",
            lowest=lowest,
            newest=newest.loss,
            guess=GUESS_LOSS,
            rate=config.learning_rate,
        )
    return ""
