import json
import shutil
import time

import pytest
import torch

from convnet_core.cli.main import main
from convnet_core.config.stages import DataConfig, ModelConfig, TrainConfig
from convnet_core.errors import Stopped
from convnet_core.events import Monitor
from convnet_core.jobs.calibrator import Calibrator
from convnet_core.networks.convnet import build
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from convnet_core.training import calibration
from convnet_core.training.calibration import measure_factor, seconds_per_image
from convnet_core.training.estimate import (
    describe_cost,
    expected_seconds,
    formula_image_seconds,
    formula_seconds,
    parameter_count,
    step_count,
)
from convnet_core.training.speed import known_factor, record_factor
from tests.conftest import convnet, small_train_config
from tests.training.test_loop import StopAfter


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize(("channels", "kernel"), [(4, 3), (16, 5), (64, 7)])
def test_the_parameter_count_matches_the_network(architecture, channels, kernel):
    config = ModelConfig(architecture=architecture, channels=channels, kernel=kernel)
    assert parameter_count(config) == sum(value.numel() for value in build(config).parameters())


@pytest.mark.parametrize(("images", "batch", "steps"), [(100, 50, 2), (101, 50, 3), (149, 50, 3)])
def test_a_smaller_last_batch_counts_as_a_step(images, batch, steps):
    config = TrainConfig(epochs=4, batch_size=batch, data=DataConfig(train_size=images))
    assert step_count(config) == 4 * steps


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("CONVNET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_time_is_unknown_until_the_machine_has_been_measured(cache):
    config = TrainConfig()
    assert expected_seconds(config) is None
    assert describe_cost(config) == "125,642 weights, 6,000 steps"
    record_factor(config, 2.0)
    assert expected_seconds(config) == pytest.approx(2 * formula_seconds(config))
    assert "about " in describe_cost(config)


def test_a_speed_is_measured_for_each_device_precision_and_architecture(cache):
    record_factor(TrainConfig(), 2.0)
    assert known_factor(TrainConfig(epochs=7, batch_size=10, model=ModelConfig(channels=64))) == 2.0
    for change in ({"device": "cpu"}, {"precision": "bfloat16"}, {"model": ModelConfig(architecture="deep")}):
        assert known_factor(TrainConfig(**change)) is None


def test_the_speed_of_another_machine_is_not_used(cache, monkeypatch):
    record_factor(TrainConfig(), 2.0)
    monkeypatch.setattr("platform.node", lambda: "another")
    assert known_factor(TrainConfig()) is None


@pytest.mark.parametrize("content", ["", "[]", '{"machine": "x"}', '{"machine": "x", "factor": -1}'])
def test_a_damaged_speed_is_measured_again(cache, content):
    record_factor(TrainConfig(), 2.0)
    (path,) = (cache / "speed").iterdir()
    path.write_text(content)
    assert known_factor(TrainConfig()) is None


def test_the_estimate_grows_with_epochs_channels_and_validation(cache):
    record_factor(TrainConfig(), 1.0)
    base = expected_seconds(TrainConfig())
    assert expected_seconds(TrainConfig(epochs=10)) == pytest.approx(2 * base)
    assert expected_seconds(TrainConfig(model=ModelConfig(channels=64))) > 1.5 * base
    assert base > expected_seconds(TrainConfig(validation_size=5000)) > 0.9 * base


class FakeClock:
    """Moves by `step` seconds at each look."""

    def __init__(self, step):
        self.step, self.now = step, 0.0

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.mark.parametrize(("step", "steps"), [(0.25, 4), (3.0, 1)])
def test_the_speed_is_the_mean_over_a_second_of_steps(step, steps):
    """With this clock a step takes `step` seconds; the last look at the end takes one more."""
    config = TrainConfig(batch_size=10, device="cpu")
    seconds = seconds_per_image(config, FakeClock(step))
    assert seconds == pytest.approx((steps + 1) * step / (10 * steps))
    assert measure_factor(config, FakeClock(step)) == pytest.approx(seconds / formula_image_seconds(config))


def test_the_first_steps_are_not_counted(monkeypatch):
    calls, clock = [], FakeClock(0.6)
    make_step = calibration.make_step

    def counted(*args):
        step = make_step(*args)
        return lambda *batch: (calls.append(clock.now), step(*batch))[1]

    monkeypatch.setattr(calibration, "make_step", counted)
    seconds_per_image(TrainConfig(batch_size=10, device="cpu"), clock)
    assert calls.count(0.0) == 5
    assert len(calls) == 7


def test_a_whole_training_records_its_speed(tmp_path, monkeypatch):
    monkeypatch.setattr("convnet_core.stages.train._MEASURABLE", 0.0)
    monkeypatch.setattr("convnet_core.training.speed._path", lambda _: tmp_path / "speed" / "speed.json")
    config = small_train_config(epochs=2)
    with pytest.raises(Stopped):
        run_train(Run.create(tmp_path / "run"), config, StopAfter(60))
    run_train(Run.open(tmp_path / "run"), config, Monitor(), resume=True)
    assert known_factor(config) is None, "a training in two parts is no measurement"
    result = run_train(Run.create(tmp_path / "whole"), config, Monitor())
    assert expected_seconds(config) == pytest.approx(result.seconds, abs=0.01)


@pytest.mark.slow
def test_the_command_prints_the_cost_and_measures_once(cache):
    flags = ("train", "--estimate", "--json", "--device", "cpu", "--train-size", "1000", "--validation-size", "0")
    first, second = (json.loads(convnet(*flags).stdout) for _ in range(2))
    assert first == second
    assert (first["weights"], first["steps"]) == (125642, 20)
    assert first["seconds"] > 0
    assert len(list((cache / "speed").iterdir())) == 1


def test_the_command_prints_the_cost_of_a_fork_with_the_settings_of_its_parent(trained_run, capsys, monkeypatch):
    monkeypatch.setattr("convnet_core.cli.commands.train.known_factor", lambda _: 1.0)
    assert main(["train", "--estimate", "--json", "--fork", str(trained_run.path), "--channels", "8"]) == 0
    parent = TrainConfig.from_json(trained_run.record("train").config)
    config = parent.replace(model=ModelConfig(channels=8))
    cost = json.loads(capsys.readouterr().out)
    assert (cost["weights"], cost["steps"]) == (parameter_count(config.model), step_count(config))


# -- in a process of its own, for the app ------------------------------------------------------------


@pytest.fixture
def calibrator():
    calibrator = Calibrator()
    yield calibrator
    calibrator.close()


def until_measured(calibrator, config):
    deadline = time.monotonic() + 120
    while calibrator.is_measuring(config):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_app_measures_in_another_process(cache, calibrator):
    config = TrainConfig(device="cpu")
    assert calibrator.is_measuring(config)
    assert known_factor(config) is None
    until_measured(calibrator, config)
    assert known_factor(config) > 0
    assert calibrator.failure(config) == ""
    shutil.rmtree(cache / "speed")
    assert calibrator.failure(config) == "", "a cache that was cleared is no failed measurement"
    assert calibrator.is_measuring(config)


@pytest.mark.slow
def test_a_missing_device_is_the_reason_why_nothing_was_measured(cache, calibrator):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has the device")
    config = TrainConfig(device="mps")
    until_measured(calibrator, config)
    assert calibrator.failure(config) == "this machine has no device 'mps'"
    assert not calibrator.is_measuring(config), "it is not tried again and again"
