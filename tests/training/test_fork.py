"""Forks: a new run whose training starts from the training of another run, with other settings."""

import pytest
import torch

from convnet_core.common.files import digest
from convnet_core.config.stages import DataConfig, ModelConfig, TrainConfig
from convnet_core.errors import RunError, Stopped
from convnet_core.events import Message, Monitor
from convnet_core.jobs.watcher import list_jobs
from convnet_core.networks.weights import read_weights
from convnet_core.runs.run import Run
from convnet_core.stages.refresh import run_refresh
from convnet_core.stages.train import run_train
from convnet_core.training.history import parent_curve, read_curve, read_fork, read_history
from tests.conftest import convnet, copy_of, small_train_config
from tests.pages.conftest import running_job
from tests.training.test_loop import StopAfter

BATCHES = 50  # an epoch of small_train_config


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, shared_cache):
    """A training of two epochs that was stopped after one and a half. Only read it."""
    run = Run.create(tmp_path_factory.mktemp("stopped") / "stopped")
    with pytest.raises(Stopped):
        run_train(run, small_train_config(epochs=2), StopAfter(1 + BATCHES + BATCHES // 2))
    return run


def fork(parent, path, config):
    """Train a fork; returns its run and the messages on the way."""
    run, monitor = Run.create(path), StopAfter(10**9)
    run_train(run, config, monitor, parent=parent)
    texts = [event.text for event in monitor.events if isinstance(event, Message)]
    return run, texts


def weights_of(run):
    return read_weights(run.path / "train/model.safetensors")


def test_a_fork_of_a_stopped_training_without_a_change_ends_like_the_resumed_one(stopped, tmp_path):
    forked, _ = fork(stopped, tmp_path / "forked", small_train_config(epochs=2))
    resumed = copy_of(stopped, tmp_path)
    run_train(resumed, TrainConfig(), Monitor(), resume=True)
    assert digest(forked.path / "train/model.safetensors") == digest(resumed.path / "train/model.safetensors")
    assert read_fork(forked).carried == "position"
    assert read_history(forked)[0].epoch > parent_curve(forked)[-1].epoch
    assert parent_curve(forked) == read_history(stopped) != []


def test_a_fork_goes_on_from_the_same_step_with_another_learning_rate(stopped, tmp_path):
    config = small_train_config(epochs=2, learning_rate=0.001, optimizer="adamw")
    forked, _ = fork(stopped, tmp_path / "forked", config)
    history = read_history(forked)
    assert history[-1].step == history[-1].total_steps == 2 * BATCHES
    assert read_curve(forked) == history
    result = read_fork(forked)
    assert (result.parent, result.notes) == ("stopped", ())
    assert result.changes == ("learning rate 0.006 → 0.001", "optimizer adam → adamw")
    assert forked.record("train").inputs["fork/state.pth"] == digest(forked.path / "fork/state.pth")


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"batch_size": 100}, "The batches are other ones"),
        ({"seed": 1}, "The batches are other ones"),
        ({"epochs": 1}, "already past epoch 1"),
    ],
)
def test_where_the_step_cannot_be_kept_the_epochs_are_counted_anew(stopped, tmp_path, change, note):
    config = small_train_config(**{"epochs": 1, "learning_rate": 1e-6, "schedule": "constant", **change})
    forked, texts = fork(stopped, tmp_path / "forked", config)
    assert any(note in text for text in texts)
    assert read_fork(forked).carried == "weights"
    assert read_history(forked)[-1].epoch == 1
    end = parent_curve(forked)[-1].epoch
    assert read_curve(forked)[-1].epoch == pytest.approx(1 + end)
    before = torch.load(stopped.path / "checkpoint/state.pth", weights_only=True)["model"]
    torch.testing.assert_close(weights_of(forked)["fc.weight"], before["fc.weight"], atol=5e-4, rtol=0)


def test_a_fork_of_a_finished_training_starts_from_its_weights(trained_run, tmp_path):
    config = TrainConfig.from_json(trained_run.record("train").config)
    config = config.replace(epochs=1, learning_rate=1e-6, schedule="constant")
    forked, texts = fork(trained_run, tmp_path / "forked", config)
    torch.testing.assert_close(weights_of(forked)["fc.weight"], weights_of(trained_run)["fc.weight"], atol=5e-4, rtol=0)
    assert any("keeps no state of its optimizer" in text for text in texts)
    assert read_curve(forked)[0].epoch > 3  # after the parent's three epochs
    again, _ = fork(forked, tmp_path / "again", config)
    assert read_curve(again)[-1].epoch == pytest.approx(5)
    assert [item.epoch for item in parent_curve(again)][-1] == pytest.approx(4)


def test_another_network_starts_from_scratch_beside_the_old_curve(trained_run, tmp_path):
    config = small_train_config(model=ModelConfig(channels=8))
    forked, texts = fork(trained_run, tmp_path / "forked", config)
    assert any("starts from scratch" in text for text in texts)
    scratch = Run.create(tmp_path / "scratch")
    run_train(scratch, config, Monitor())
    assert digest(forked.path / "train/model.safetensors") == digest(scratch.path / "train/model.safetensors")
    assert read_curve(forked)[-1].epoch == 1
    assert parent_curve(forked) == read_history(trained_run)


def test_another_kind_of_optimizer_starts_anew(stopped, tmp_path):
    config = small_train_config(epochs=2, optimizer="sgd", learning_rate=0.01)
    forked, texts = fork(stopped, tmp_path / "forked", config)
    assert any("sgd cannot take over the state of adam" in text for text in texts)
    assert read_fork(forked).carried == "position"


def test_a_stopped_fork_resumes_and_a_refresh_forks_again(stopped, tmp_path):
    config = small_train_config(epochs=3)
    whole, _ = fork(stopped, tmp_path / "whole", config)
    run = Run.create(tmp_path / "run")
    with pytest.raises(Stopped):
        run_train(run, config, StopAfter(1 + BATCHES), parent=stopped)
    run_train(run, TrainConfig(), Monitor(), resume=True)
    expected = digest(whole.path / "train/model.safetensors")
    assert digest(run.path / "train/model.safetensors") == expected
    (run.path / "train/model.safetensors").write_bytes(b"other")
    with pytest.raises(RunError, match="stop"):
        run_refresh(run, OnlyTrain())
    assert digest(run.path / "train/model.safetensors") == expected


class OnlyTrain(Monitor):
    """Fails when the training is done."""

    def emit(self, event):
        if getattr(event, "stage", "") == "export":
            raise RunError("stop")


def test_a_new_training_in_the_run_is_no_fork_anymore(stopped, tmp_path):
    forked, _ = fork(stopped, tmp_path / "forked", small_train_config(epochs=2))
    run_train(forked, small_train_config(), Monitor())
    assert read_fork(forked) is None
    assert "fork/state.pth" not in forked.record("train").inputs


def test_a_fork_of_nothing_or_of_damage_is_an_error(stopped, tmp_path):
    empty = Run.create(tmp_path / "empty")
    with pytest.raises(RunError, match="the run empty has no training to start from"):
        run_train(Run.create(tmp_path / "one"), small_train_config(), Monitor(), parent=empty)
    damaged = copy_of(stopped, tmp_path)
    (damaged.path / "checkpoint/state.pth").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"state\.pth cannot be read"):
        run_train(Run.create(tmp_path / "two"), small_train_config(), Monitor(), parent=damaged)
    forked = Run.create(tmp_path / "three")
    with pytest.raises(Stopped):
        run_train(forked, small_train_config(epochs=2), StopAfter(1), parent=stopped)
    (forked.path / "fork/state.pth").write_bytes(b"nothing")
    with pytest.raises(RunError, match="the fork in the run three is damaged"):
        run_train(forked, small_train_config(epochs=2), Monitor(), repeat=True)
    less = DataConfig(train_size=2900, test_size=400)
    with pytest.raises(RunError, match="data of the run three has changed"):
        run_train(forked, small_train_config(data=less), Monitor(), repeat=True)


def test_the_command_forks_with_the_settings_of_the_parent_and_the_flags(stopped, tmp_path):
    convnet("train", "--fork", stopped.path, "--run", tmp_path / "forked", "--learning-rate", "0.001")
    config = TrainConfig.from_json(Run.open(tmp_path / "forked").record("train").config)
    assert config == small_train_config(epochs=2, learning_rate=0.001)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fork", "{empty}"], "has no training to start from"),
        (["--fork", "{missing}"], "is not a run"),
        (["--fork", "{parent}", "--run", "{parent}"], "a fork is a new run"),
        (["--fork", "{parent}", "--resume", "--run", "{empty}"], "--resume continues with the settings"),
        (["--fork", "{parent}", "--validation-size", "100000"], "do not fit into"),
    ],
)
def test_a_wrong_fork_is_one_clear_line(stopped, tmp_path, arguments, message):
    Run.create(tmp_path / "empty")
    names = {"parent": stopped.path, "empty": tmp_path / "empty", "missing": tmp_path / "missing"}
    done = convnet("train", *(item.format(**names) for item in arguments), check=2)
    assert message in done.stderr
    assert done.stderr.count("\n") <= 2


def test_a_fork_waits_until_the_stopping_job_of_its_parent_has_ended(tmp_path, stopped):
    """It may hold another device than the fork's, so the lock of the device does not tell."""
    parent = copy_of(stopped, tmp_path)
    with running_job(parent, "train") as worker:
        (parent_job,) = list_jobs(parent)
        (parent_job.folder / "stop").touch()

        class EndsTheParent(StopAfter):
            def stop_requested(self):
                if self.waits and worker.poll() is None:
                    assert read_fork(run) is None
                    worker.kill()
                    worker.wait()
                return super().stop_requested()

            @property
            def waits(self):
                return Message(text=f"waiting until the run {parent.name} has saved its training") in self.events

        run, monitor = Run.create(tmp_path / "forked"), EndsTheParent(10**9)
        run_train(run, small_train_config(epochs=2), monitor, parent=parent)
    assert monitor.waits
