"""The step of a training as a GPU takes it, tried on the CPU: nothing in it waits, and it can be recorded."""

from functools import partial

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from convnet_core.config.stages import PRESETS, AugmentConfig, ModelConfig, TrainConfig
from convnet_core.data.split import Split
from convnet_core.data.strokes import generate
from convnet_core.errors import ConfigError
from convnet_core.events import Monitor
from convnet_core.networks.convnet import build
from convnet_core.training import loop, steps
from convnet_core.training.cuda_graph import GraphedStep
from convnet_core.training.loop import Tensors, Training
from convnet_core.training.optimizer import make_optimizer, set_learning_rate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return Tensors.of(Split(*generate(1000, 0)))


def fit(config, digits):
    state = loop.start_training(build(config.model, config.seed), config, CPU)
    loop.fit(state, digits, None, config, Monitor())
    return state


# -- nothing waits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["eager", "graph"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("architecture", ["convnet", "deep"])
def test_a_step_reads_nothing_off_the_device(monkeypatch, architecture, optimizer, precision, rate):
    """With tensors that have no values: whatever asks for one raises. The layers are those of a GPU."""
    monkeypatch.setenv("CONVNET_PLAIN", "layers")
    config = TrainConfig(
        model=ModelConfig(architecture=architecture),
        augment=AugmentConfig(rotation=5, shift=1),
        optimizer=optimizer,
        precision=precision,
        label_smoothing=0.1,
    )
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = build(config.model)
        state = Training(model, make_optimizer(model, config, CPU), None)
        state.optimizer.param_groups[0]["lr"] = rate
        train = Tensors(torch.zeros(80, 28, 28, dtype=torch.uint8), torch.zeros(80, dtype=torch.int64))
        for _ in range(3):  # the first makes the optimizer's state
            loss, _ = steps.take_step(state, train, config, torch.arange(50))
        with pytest.raises(Exception, match="_local_scalar_dense"):
            float(loss)


class Reads(TorchDispatchMode):
    """Counts what waits for a device: reads of a tensor's value."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_an_epoch_reads_as_often_however_many_steps_it_has(digits, monkeypatch):
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 1e9)
    found = []
    for batch_size in (500, 20):
        with Reads() as reads:
            fit(TrainConfig(epochs=1, batch_size=batch_size), digits)
        found.append(reads.count)
    assert found[0] == found[1] > 0


# -- a CUDA graph -----------------------------------------------------------------------------------


class Again:
    """Behaves like a CUDA graph: recording does nothing, and each replay leaves its results in the same tensors."""

    def warm(self, work):
        return work()

    def record(self, work):
        self.work, self.result = work, (torch.zeros(()), torch.zeros((), dtype=torch.int64))
        return self.result

    def replay(self):
        for kept, new in zip(self.result, self.work(), strict=True):
            kept.copy_(new)


class Never(Again):
    def record(self, work):
        raise RuntimeError("operation not permitted when stream is capturing")


def graphed(recorder, state, train, config):
    """The stepper of a GPU with another recorder."""
    state.optimizer.param_groups[0]["lr"] = torch.tensor(config.learning_rate)
    take = partial(steps.take_step, state, train, config)
    return GraphedStep(take, partial(set_learning_rate, state.optimizer), recorder, config.batch_size, CPU)


RECIPE = TrainConfig(
    epochs=2, batch_size=64, schedule="onecycle", learning_rate=0.01, augment=AugmentConfig(shift=1), device="cpu"
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_recorded_step_trains_the_same(digits, monkeypatch, optimizer):
    """Buffers that stay, the rate a tensor, a last batch of another size."""
    config = RECIPE.replace(optimizer=optimizer)
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 1e9)  # one event an epoch, whatever the time
    plain = fit(config, digits)
    monkeypatch.setattr(loop, "make_step", partial(graphed, Again()))
    recorded = fit(config, digits)
    # A rate in float32 rounds, and Adam magnifies that. In train mode, in which the convolution's bias does not count:
    # its gradient is nothing but noise, and Adam makes large steps of it.
    loose = {"rtol": 0, "atol": 0.1} if optimizer == "adamw" else {"rtol": 1e-4, "atol": 1e-4}
    with torch.no_grad():
        answers = [state.model.train()(steps.scale_pixels(digits.images)) for state in (recorded, plain)]
    torch.testing.assert_close(*answers, **loose)
    told = [(item.loss, item.accuracy) for item in (plain.progress.history[-1], recorded.progress.history[-1])]
    assert told[0] == pytest.approx(told[1], rel=2e-2)


def test_a_step_that_cannot_be_recorded_is_one_clear_error(digits, monkeypatch):
    monkeypatch.setattr(loop, "make_step", partial(graphed, Never()))
    with pytest.raises(ConfigError, match="cannot be recorded as a CUDA graph: operation not permitted") as caught:
        fit(RECIPE, digits)
    assert "--cuda-graph" in caught.value.hint


def test_no_preset_asks_for_a_graph():
    assert not any(preset.cuda_graph for preset in PRESETS.values())


def test_a_graph_without_cuda_is_an_error():
    with pytest.raises(ConfigError, match="a CUDA graph needs a CUDA device, not 'cpu'"):
        loop.choose_device(TrainConfig(device="cpu", cuda_graph=True))
