import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnet_core.config.fields import describe, value_at
from convnet_core.config.stages import (
    PRESETS,
    CompareConfig,
    ConvertConfig,
    DataConfig,
    ExportConfig,
    ModelConfig,
    TrainConfig,
)
from convnet_core.errors import ConfigError

ALL = [DataConfig, ModelConfig, TrainConfig, ExportConfig, ConvertConfig, CompareConfig]


@pytest.mark.parametrize("config", ALL)
def test_json_round_trip(config):
    assert config.from_json(config().to_json()) == config()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_json(preset):
    assert TrainConfig.from_json(PRESETS[preset].to_json()) == PRESETS[preset]


@pytest.mark.parametrize("config", ALL)
def test_every_field_has_a_help_text_and_its_own_flag(config):
    fields = list(describe(config))
    assert all(field.setting.help for field in fields)
    assert len({field.flag for field in fields}) == len(fields)


def test_field_paths_lead_to_the_values():
    config = PRESETS["accurate"]
    values = {".".join(field.path): value_at(config, field.path) for field in describe(TrainConfig)}
    assert values["model.architecture"] == "deep"
    assert values["epochs"] == config.epochs


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TrainConfig(epochs=0), "epochs must be from 1 to 1000"),
        (lambda: TrainConfig(epochs=2.5), "epochs must be of type int"),
        (lambda: TrainConfig(epochs=True), "epochs must be of type int"),
        (lambda: TrainConfig(learning_rate=math.nan), "learning rate must be from"),
        (lambda: TrainConfig(learning_rate="fast"), "learning rate must be of type float"),
        (lambda: TrainConfig(optimizer="lion"), "optimizer must be one of adam, adamw, sgd"),
        (lambda: ModelConfig(kernel=4), "kernel must be one of 3, 5, 7"),
        (lambda: ModelConfig(channels=65), "channels must be from 4 to 64"),
        (lambda: CompareConfig(batch_sizes=()), "batch sizes must be a list"),
        (lambda: CompareConfig(batch_sizes=(1, 0)), "batch sizes must be from 1"),
        (lambda: TrainConfig(data=DataConfig(train_size=100), validation_size=80), "do not fit"),
        (lambda: TrainConfig.from_json({"epochz": 3}), "unknown setting 'epochz'"),
        (lambda: TrainConfig.from_json([]), "expected an object"),
        (lambda: TrainConfig.from_json({"model": 3}), "expected an object"),
    ],
)
def test_an_invalid_value_is_refused_with_a_reason(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_an_integer_is_accepted_for_a_float():
    assert TrainConfig(learning_rate=1).learning_rate == 1.0


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "model", "epochs", "seed", "kernel", "source", "x"]), inner, max_size=3
            )
        ),
    )
)
def test_any_json_gives_a_config_or_a_config_error(value):
    with contextlib.suppress(ConfigError):
        assert isinstance(TrainConfig.from_json(value), TrainConfig)
