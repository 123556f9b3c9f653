import pytest

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import DataConfig, ModelConfig, TrainConfig
from convnet_core.networks.convnet import build
from convnet_core.training.estimate import expected_seconds, parameter_count, step_count
from tests.conftest import copy_of


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize(("channels", "kernel"), [(4, 3), (16, 5), (64, 7)])
def test_the_parameter_count_matches_the_network(architecture, channels, kernel):
    config = ModelConfig(architecture=architecture, channels=channels, kernel=kernel)
    assert parameter_count(config) == sum(value.numel() for value in build(config).parameters())


@pytest.mark.parametrize(("images", "batch", "steps"), [(100, 50, 2), (101, 50, 3), (149, 50, 3)])
def test_a_smaller_last_batch_counts_as_a_step(images, batch, steps):
    config = TrainConfig(epochs=4, batch_size=batch, data=DataConfig(train_size=images))
    assert step_count(config) == 4 * steps


def test_the_estimate_grows_with_epochs_and_channels(tmp_path):
    base = expected_seconds(TrainConfig(), tmp_path)
    assert expected_seconds(TrainConfig(epochs=10), tmp_path) == pytest.approx(2 * base)
    assert expected_seconds(TrainConfig(model=ModelConfig(channels=64)), tmp_path) > 1.5 * base


def test_the_estimate_uses_the_time_of_an_earlier_run(trained_run, tmp_path):
    run = copy_of(trained_run, tmp_path)
    config = TrainConfig.from_json(run.record("train").config)
    path = run.path / "train" / "stage.json"
    record = read_json(path)
    record["result"]["seconds"] = 77.0
    write_json(path, record)
    assert expected_seconds(config, tmp_path) == pytest.approx(77)
    assert expected_seconds(config.replace(epochs=2 * config.epochs), tmp_path) == pytest.approx(154)
