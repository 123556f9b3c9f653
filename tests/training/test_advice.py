"""What the page says about the figures of a training, on real trainings with good and bad learning rates."""

import pytest
import torch

from convnet_core.config.stages import PRESETS, AugmentConfig, ModelConfig, TrainConfig
from convnet_core.data.split import Split
from convnet_core.data.strokes import generate
from convnet_core.events import Metrics, Monitor
from convnet_core.networks.convnet import build
from convnet_core.training import loop
from convnet_core.training.advice import GUESS_LOSS, explain_gap, lowest_loss, warn_of_learning_rate
from convnet_core.training.loop import Tensors


@pytest.fixture(scope="module")
def digits():
    return Tensors.of(Split(*generate(3000, 0)))


def course(digits, config, monkeypatch):
    """The metrics of a training, one event for each five steps."""
    due = loop._Clock.due
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 0.0)
    monkeypatch.setattr(loop._Clock, "due", lambda clock: due(clock) and clock._seen >= 5 * config.batch_size)
    state = loop.start_training(build(config.model, 0), config, torch.device("cpu"))
    loop.fit(state, digits, None, config, Monitor())
    return state.progress.history


@pytest.mark.parametrize(
    "config",
    [
        PRESETS["fast"].replace(epochs=2),
        PRESETS["reference"].replace(epochs=2),
        PRESETS["accurate"].replace(model=ModelConfig(architecture="deep", channels=4), epochs=2),
    ],
    ids=["fast", "reference", "accurate"],
)
def test_good_learning_rates_get_no_warning(digits, config, monkeypatch):
    history = course(digits, config.replace(validation_size=0), monkeypatch)
    warnings = [warn_of_learning_rate(history[: end + 1], config) for end in range(len(history))]
    assert not any(warnings), warnings


@pytest.mark.parametrize(
    "config",
    [
        PRESETS["reference"].replace(learning_rate=0.3, epochs=2),
        PRESETS["fast"].replace(optimizer="sgd", learning_rate=1.0, epochs=2),
    ],
    ids=["adam", "sgd"],
)
def test_a_learning_rate_that_is_too_high_is_named_when_it_happens(digits, config, monkeypatch):
    history = course(digits, config.replace(validation_size=0), monkeypatch)
    warnings = [warn_of_learning_rate(history[: end + 1], config) for end in range(len(history))]
    assert any("too high" in warning for warning in warnings[: len(warnings) // 2])


def metrics(step, loss, accuracy, validation_loss=None):
    return Metrics(
        epoch=step / 100, step=step, total_steps=1000, loss=loss, accuracy=accuracy, learning_rate=0.5,
        images_per_second=1.0, seconds_left=1.0, validation_loss=validation_loss,
    )  # fmt: skip


SGD = PRESETS["sample"].replace(model=ModelConfig(architecture="deep", channels=4), optimizer="sgd")


@pytest.mark.parametrize(
    "config",
    [
        SGD.replace(learning_rate=1e-4, epochs=3),
        PRESETS["reference"].replace(learning_rate=1e-4, batch_size=200, epochs=3),
        PRESETS["reference"].replace(learning_rate=1e-6, epochs=2),
    ],
    ids=["deep", "convnet", "hardly"],
)
def test_a_learning_rate_that_is_too_low_is_not_called_too_high(digits, config, monkeypatch):
    history = course(digits, config.replace(validation_size=0), monkeypatch)
    warnings = [warn_of_learning_rate(history[: end + 1], config) for end in range(len(history))]
    assert not any(warning and "too high or too low" not in warning for warning in warnings), warnings


def test_the_warning_says_what_was_seen():
    config = TrainConfig(learning_rate=0.2)
    stuck = [metrics(step, 2.31, 0.1) for step in (60, 80, 100)]
    assert "stuck near 10 %" in warn_of_learning_rate(stuck, config)
    assert "learning rate of 0.2 is probably too high or too low" in warn_of_learning_rate(stuck, config)
    assert "0.2 is probably too high:" in warn_of_learning_rate([metrics(5, 9.0, 0.1), *stuck], config)
    beginning = [metrics(step, 2.31, 0.1) for step in (10, 20, 30)]
    assert not warn_of_learning_rate(beginning, config), "it has only begun"
    assert not warn_of_learning_rate(stuck, config.replace(schedule="onecycle")), "it still warms up"
    rising = [metrics(60, 0.5, 0.9), metrics(80, 7.0, 0.5)]
    assert "risen from 0.50 to 7.00" in warn_of_learning_rate(rising, config)
    assert not warn_of_learning_rate([metrics(60, 0.5, 0.9), metrics(80, 1.4, 0.8)], config)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_no_output_has_a_lower_loss_than_the_smoothed_target(smoothing):
    target = torch.full((1, 10), smoothing / 10)
    target[0, 3] += 1 - smoothing
    best = torch.nn.functional.cross_entropy(
        target.clamp_min(1e-30).log(), torch.tensor([3]), label_smoothing=smoothing
    )
    assert lowest_loss(smoothing) == pytest.approx(float(best), abs=1e-5)
    assert lowest_loss(smoothing) < GUESS_LOSS


def test_the_gap_between_training_and_validation_is_explained_by_its_causes():
    gap = [metrics(100, 0.9, 0.8, validation_loss=0.6)]
    assert "label smoothing of 0.1" in explain_gap(gap, TrainConfig(label_smoothing=0.1))
    assert "0.50" in explain_gap(gap, TrainConfig(label_smoothing=0.1))
    assert "distorted" in explain_gap(gap, TrainConfig(augment=AugmentConfig(rotation=5)))
    assert explain_gap(gap, TrainConfig()) == ""
    assert explain_gap([metrics(100, 0.5, 0.8, validation_loss=0.6)], TrainConfig(label_smoothing=0.1)) == ""
