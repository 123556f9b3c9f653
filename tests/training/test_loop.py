import numpy as np
import pytest
import torch
from torch import nn

from convnet_core.common.files import digest
from convnet_core.config.stages import AugmentConfig, ModelConfig, TrainConfig
from convnet_core.data.augment import augment
from convnet_core.data.strokes import generate
from convnet_core.errors import ConfigError, DataError, RunError, Stopped
from convnet_core.events import Metrics, Monitor
from convnet_core.networks.convnet import build
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from convnet_core.training import loop, steps
from convnet_core.training.history import read_history
from convnet_core.training.loop import Tensors
from convnet_core.training.schedule import learning_rate
from tests.conftest import copy_of, small_train_config
from tests.support.marks import few_quick

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    images, labels = generate(1000, 0)
    return Tensors(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def fit(config, digits, monitor=None):
    state = loop.start_training(build(config.model, config.seed), config, CPU)
    loop.fit(state, digits, None, config, monitor or Monitor())
    return state


@pytest.mark.parametrize("images", [1000, 901, 1])
def test_one_epoch_is_the_same_as_a_plain_loop(digits, images):
    """Compare with the usual PyTorch loop, which also trains on a last batch of one image: BatchNorm2d averages over
    its 784 pixels. With SGD, as Adam's first steps magnify the noise of float32.
    """
    digits = Tensors(digits.images[:images], digits.labels[:images])
    config = TrainConfig(epochs=1, batch_size=100, optimizer="sgd", learning_rate=0.01)
    ours = fit(config, digits).model
    model = build(config.model, config.seed)
    model.layer1[1], model.fc = nn.BatchNorm2d(16), nn.Linear(16 * 784, 10)  # PyTorch's layers
    model.load_state_dict(build(config.model, config.seed).state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    order = torch.randperm(images, generator=torch.Generator().manual_seed(0))
    for start in range(0, images, 100):
        batch = order[start : start + 100]
        loss = torch.nn.functional.cross_entropy(model(digits.images[batch][:, None] / 255.0), digits.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ours.layer1[1].num_batches_tracked == model.layer1[1].num_batches_tracked
    expected, logits = (loop.evaluate(network, digits).logits for network in (model, ours))
    torch.testing.assert_close(logits, expected, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": "adamw"},
        {"schedule": "onecycle"},
        {"schedule": "cosine"},
        {"label_smoothing": 0.1},
        {"precision": "bfloat16"},
        {"augment": AugmentConfig(rotation=10, shift=1)},
        {"model": ModelConfig(architecture="deep", channels=8)},
    ],
)
def test_every_option_learns(digits, change):
    config = TrainConfig(epochs=3, batch_size=50, **change)
    state = fit(config, digits)
    assert loop.evaluate(state.model, digits).accuracy > 0.6


def test_the_seed_determines_the_weights(digits):
    config = TrainConfig(epochs=1, augment=AugmentConfig(shear=5))
    first, second = fit(config, digits), fit(config, digits)
    other = fit(config.replace(seed=1), digits)
    assert torch.equal(first.model.fc.weight, second.model.fc.weight)
    assert not torch.equal(first.model.fc.weight, other.model.fc.weight)


def test_a_diverging_loss_is_an_error(digits):
    config = TrainConfig(epochs=1)
    state = loop.start_training(build(config.model, 0), config, CPU)
    with torch.no_grad():
        state.model.fc.weight[0, 0] = torch.inf
    with pytest.raises(DataError, match="diverged"):
        loop.fit(state, digits, None, config, Monitor())


def test_schedules():
    constant = TrainConfig()
    assert learning_rate(constant, 7, 10) == 0.001
    cosine = constant.replace(schedule="cosine")
    assert learning_rate(cosine, 0, 100) == 0.001
    assert learning_rate(cosine, 50, 100) == pytest.approx(0.0005)


def test_onecycle_matches_pytorch():
    config = TrainConfig(schedule="onecycle", learning_rate=0.01)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=50, cycle_momentum=False)
    for step in range(50):
        assert learning_rate(config, step, 50) == pytest.approx(schedule.get_last_lr()[0], rel=1e-6), step
        optimizer.step()
        schedule.step()


def test_evaluate_restores_the_mode(digits):
    model = build(ModelConfig(), seed=0).train()
    loop.evaluate(model, digits)
    assert model.training


def test_a_missing_device_is_an_error():
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ConfigError, match=missing):
        loop.choose_device(TrainConfig(device=missing))


def test_validation_images_are_held_out(digits):
    train, validation = loop.split_off_validation(digits, TrainConfig(validation_size=100))
    assert (len(train), len(validation)) == (900, 100)
    together = torch.cat([train.images, validation.images]).reshape(1000, -1)
    assert len(torch.unique(together, dim=0)) == len(torch.unique(digits.images.reshape(1000, -1), dim=0))


# -- augmentation -----------------------------------------------------------------------------------


def test_no_augmentation_is_the_identity(digits):
    images = steps.scale_pixels(digits.images[:50])
    torch.testing.assert_close(augment(images, AugmentConfig(), torch.Generator()), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("config", "limit"), [(AugmentConfig(shift=2), 2.1), (AugmentConfig(rotation=20), 0.3)])
def test_the_center_of_mass_moves_by_no_more_than_the_shift(digits, config, limit):
    images = steps.scale_pixels(digits.images[:200])
    moved = augment(images, config, torch.Generator().manual_seed(0))
    position = torch.arange(28.0)

    def center(batch):
        mass = batch.sum((1, 2, 3))
        return torch.stack([(batch.sum((1, 3)) @ position) / mass, (batch.sum((1, 2)) @ position) / mass])

    distance = (center(moved) - center(images)).abs()
    assert distance.max() < limit
    assert (moved - images).abs().max() > 0.1


def test_rotation_turns_by_the_angle():
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 13:15, 4:24] = 1  # a horizontal bar
    bars = augment(image.repeat(500, 1, 1, 1), AugmentConfig(rotation=45), torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(28.0) - 13.5, torch.arange(28.0) - 13.5, indexing="ij")
    weight = bars[:, 0]
    angle = 0.5 * torch.atan2(2 * (weight * x * y).sum((1, 2)), (weight * (x * x - y * y)).sum((1, 2)))
    assert 43 < torch.rad2deg(angle).abs().max() < 46


# -- the stage: stop, resume ------------------------------------------------------------------------


class StopAfter(Monitor):
    """Requests a stop at the n-th check, as a signal or a button would."""

    def __init__(self, batches):
        self.remaining, self.events = batches, []

    def stop_requested(self):
        self.remaining -= 1
        return self.remaining < 0

    def emit(self, event):
        self.events.append(event)


@pytest.mark.parametrize("batches", few_quick([1, 30, 49, 50, 51, 80], 30))
def test_a_stopped_and_resumed_training_gives_the_same_weights_bit_for_bit(tmp_path, batches):
    config = small_train_config(epochs=2, augment=AugmentConfig(rotation=5, shift=1))
    uninterrupted = Run.create(tmp_path / "uninterrupted")
    run_train(uninterrupted, config, Monitor())
    resumed = Run.create(tmp_path / "resumed")
    with pytest.raises(Stopped, match="saved"):
        run_train(resumed, config, StopAfter(1 + batches))
    assert resumed.state("train").state == "missing"
    run_train(resumed, TrainConfig(), Monitor(), resume=True)
    assert digest(resumed.path / "train/model.safetensors") == digest(uninterrupted.path / "train/model.safetensors")
    assert resumed.record("train").config == config.to_json()
    assert not (resumed.path / "checkpoint").exists()


def test_the_history_of_a_stopped_training_is_in_its_own_file(tmp_path):
    run = Run.create(tmp_path / "run")
    monitor = StopAfter(60)
    with pytest.raises(Stopped):
        run_train(run, small_train_config(epochs=3), monitor)
    assert run.record("checkpoint").result.keys() == {"epoch", "batch", "seconds"}
    assert read_history(run) == [event for event in monitor.events if isinstance(event, Metrics)] != []
    (run.path / "checkpoint/history.json").write_text('{"metrics": [1]}')
    with pytest.raises(RunError, match=r"history\.json cannot be read"):
        read_history(run)
    (run.path / "checkpoint/history.json").unlink()
    with pytest.raises(RunError, match=r"history\.json cannot be read"):
        read_history(run)
    with pytest.raises(RunError, match="checkpoint of the run run is damaged"):
        run_train(run, TrainConfig(), Monitor(), resume=True)


def test_resuming_with_other_data_is_refused(tmp_path):
    run = Run.create(tmp_path / "run")
    with pytest.raises(Stopped):
        run_train(run, small_train_config(), StopAfter(5))
    record = run.path / "checkpoint/stage.json"
    record.write_text(record.read_text().replace('"train_size": 3000', '"train_size": 2900'))
    with pytest.raises(RunError, match=r"data of the run .* has changed"):
        run_train(run, TrainConfig(), Monitor(), resume=True)


def test_resuming_on_another_kind_of_device_is_refused(tmp_path):
    run = Run.create(tmp_path / "run")
    with pytest.raises(Stopped):
        run_train(run, small_train_config(), StopAfter(5))
    state = torch.load(run.path / "checkpoint/state.pth", weights_only=True)
    torch.save({**state, "device": "cuda"}, run.path / "checkpoint/state.pth")
    with pytest.raises(RunError, match="stopped on the device 'cuda' and cannot continue on 'cpu'"):
        run_train(run, TrainConfig(), Monitor(), resume=True)


def test_nothing_to_resume(tmp_path, trained_run):
    with pytest.raises(RunError, match="nothing to resume"):
        run_train(Run.create(tmp_path / "run"), TrainConfig(), Monitor(), resume=True)
    with pytest.raises(RunError, match="its training is finished"):
        run_train(copy_of(trained_run, tmp_path / "copy"), TrainConfig(), Monitor(), resume=True)


def test_metrics_are_emitted_and_saved(tmp_path):
    monitor = StopAfter(10**9)
    run = Run.create(tmp_path / "run")
    result = run_train(run, small_train_config(), monitor)
    metrics = [event for event in monitor.events if isinstance(event, Metrics)]
    assert metrics[-1].epoch == 1
    assert metrics[-1].step == metrics[-1].total_steps == 50
    assert metrics[-1].validation_accuracy is not None
    from convnet_core.common.files import read_json

    metrics_file = read_json(run.path / "train/metrics.json")
    assert len(metrics_file["history"]) == len(metrics)
    confusion = np.array(metrics_file["confusion"])
    assert confusion.sum() == 400
    assert np.trace(confusion) / 400 == pytest.approx(result.test_accuracy)


def test_both_weights_files_have_the_same_values(trained_run):
    from convnet_core.networks.weights import read_weights

    first = read_weights(trained_run.path / "train/model.safetensors")
    second = torch.load(trained_run.path / "train/model.pth", weights_only=True)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
