"""The training step for a GPU, tested on the CPU: it never waits for the device, and it can be recorded."""

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


# -- no waiting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["eager", "graph"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("architecture", ["convnet", "deep"])
def test_a_step_reads_no_value_from_the_device(monkeypatch, architecture, optimizer, precision, rate):
    """Fake tensors have no values, so reading one raises. The layers are those used on a GPU."""
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
        for _ in range(3):  # the first creates the optimizer's state
            loss, _ = steps.take_step(state, train, config, torch.arange(50))
        with pytest.raises(Exception, match="_local_scalar_dense"):
            float(loss)


class ReadCounter(TorchDispatchMode):
    """Counts reads of a tensor's value, each of which waits for the device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_the_number_of_reads_in_an_epoch_does_not_depend_on_its_steps(digits, monkeypatch):
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 1e9)
    counts = []
    for batch_size in (500, 20):
        with ReadCounter() as reads:
            fit(TrainConfig(epochs=1, batch_size=batch_size), digits)
        counts.append(reads.count)
    assert counts[0] == counts[1] > 0


# -- a CUDA graph -----------------------------------------------------------------------------------


class FakeGraph:
    """Behaves like a CUDA graph: recording does nothing, and each replay writes its results to the same tensors."""

    def warm(self, work):
        return work()

    def record(self, work):
        self.work, self.result = work, (torch.zeros(()), torch.zeros((), dtype=torch.int64))
        return self.result

    def replay(self):
        for buffer, value in zip(self.result, self.work(), strict=True):
            buffer.copy_(value)


class FailingGraph(FakeGraph):
    def record(self, work):
        raise RuntimeError("operation not permitted when stream is capturing")


def make_graphed_step(recorder, state, train, config):
    """The step for a GPU, with the given recorder."""
    state.optimizer.param_groups[0]["lr"] = torch.tensor(config.learning_rate)
    take = partial(steps.take_step, state, train, config)
    return GraphedStep(take, partial(set_learning_rate, state.optimizer), recorder, config.batch_size, CPU)


RECIPE = TrainConfig(
    epochs=2, batch_size=64, schedule="onecycle", learning_rate=0.01, augment=AugmentConfig(shift=1), device="cpu"
)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_recorded_step_trains_the_same(digits, monkeypatch, optimizer):
    """With fixed buffers, the learning rate as a tensor, and a last batch of another size."""
    config = RECIPE.replace(optimizer=optimizer)
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 1e9)  # one event an epoch, however long it takes
    plain = fit(config, digits)
    monkeypatch.setattr(loop, "make_step", partial(make_graphed_step, FakeGraph()))
    graph_state = fit(config, digits)
    # The learning rate is rounded to float32, and Adam magnifies that. Compare in train mode, where the convolution's
    # bias has no effect: its gradient is only noise, and Adam turns noise into large steps.
    loose = {"rtol": 0, "atol": 0.1} if optimizer == "adamw" else {"rtol": 1e-4, "atol": 1e-4}
    with torch.no_grad():
        outputs = [state.model.train()(steps.scale_pixels(digits.images)) for state in (graph_state, plain)]
    torch.testing.assert_close(*outputs, **loose)
    metrics = [(item.loss, item.accuracy) for item in (plain.progress.history[-1], graph_state.progress.history[-1])]
    assert metrics[0] == pytest.approx(metrics[1], rel=2e-2)


def test_a_step_that_cannot_be_recorded_is_a_clear_error(digits, monkeypatch):
    monkeypatch.setattr(loop, "make_step", partial(make_graphed_step, FailingGraph()))
    with pytest.raises(ConfigError, match="cannot be recorded as a CUDA graph: operation not permitted") as caught:
        fit(RECIPE, digits)
    assert "--cuda-graph" in caught.value.hint


def test_no_preset_uses_a_graph():
    assert not any(preset.cuda_graph for preset in PRESETS.values())


def test_a_graph_without_cuda_is_an_error():
    with pytest.raises(ConfigError, match="a CUDA graph needs a CUDA device, not 'cpu'"):
        loop.choose_device(TrainConfig(device="cpu", cuda_graph=True))
