"""Widgets for the data and training settings, shared by several pages.

The widgets start at the settings of the shown run. Choices are stored in the address under the name of their flag, so
they survive page changes, reloads and server restarts.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convnet_core.common.formatting import capitalized, join_clauses
from convnet_core.config.fields import ConfigField, describe, value_at
from convnet_core.config.flags import replace_fields
from convnet_core.config.setting_names import setting_name, unit_name
from convnet_core.config.stages import DEFAULT_PRESET, PRESETS, AugmentConfig, DataConfig, TrainConfig
from convnet_core.data.sources import FOLDER, SOURCES, absolute, source_of
from convnet_core.errors import ConvNetError
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.training.history import newest_training
from pages.components import address, remedy

FIELDS = {field.path: field for field in describe(TrainConfig)}
_SLIDERS: dict[str, tuple[float, float, float]] = {
    "epochs": (1, 20, 1),
    "channels": (4, 64, 4),
    "rotation": (0.0, 45.0, 1.0),
    "scaling": (0.0, 0.5, 0.05),
    "shear": (0.0, 45.0, 1.0),
    "shift": (0.0, 8.0, 0.5),
    "label_smoothing": (0.0, 0.5, 0.05),
}
_STEPS: dict[str, tuple[Any, ...]] = {
    "batch_size": (10, 20, 50, 100, 200, 500, 1000),
    "learning_rate": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 6e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    "weight_decay": (0.0, 1e-4, 1e-3, 0.01, 0.05, 0.1),
    "validation_size": (0, 1000, 2000, 5000, 10_000),
    "train_size": (0, 1000, 2000, 5000, 10_000, 20_000, 40_000),
    "test_size": (0, 1000, 2000, 5000),
}
_START, _OWNER = "training settings", "training settings of"
"""Where the session keeps the settings that the widgets start at, and the name of their run."""


def follow(run: Run | None) -> None:
    """Let the widgets start at the settings of the shown run's training. Call it before they are drawn.

    When the user goes from one run to another, all widgets are set. At the first draw of a session none is: an address
    with settings, such as a teacher's link, wins over the run. When a run has been trained meanwhile, those that the
    user has touched stay. Raises RunError if the run's record is damaged.
    """
    record = newest_training(run) if run and not run.is_model else None
    if run is None or record is None:
        st.session_state[_OWNER] = ""
        return
    owner, before = st.session_state.get(_OWNER), _start()
    if owner == run.name:
        return
    start_at(run, TrainConfig.from_json(record.config))
    if owner is not None:
        before_values, values = _widget_values(before), _widget_values(_start())
        touched = {key for key, value in before_values.items() if st.session_state.get(key, value) != value}
        st.session_state.update({key: value for key, value in values.items() if owner or key not in touched})


def start_at(run: Run, config: TrainConfig) -> None:
    """Let the widgets start at these settings of a run, and keep what they show."""
    st.session_state[_OWNER], st.session_state[_START] = run.name, config


def _start() -> TrainConfig:
    """The settings that the widgets start at: without a trained run, those of the default preset."""
    config: TrainConfig = st.session_state.get(_START, PRESETS[DEFAULT_PRESET])
    return config


def _widget_values(config: TrainConfig) -> dict[str, Any]:
    """The values of all widgets for these settings, by key."""
    source = source_of(config.data)
    values = {key_of(field): value_at(config, path) for path, field in FIELDS.items()}
    return {**values, "data": source.name, "idx-folder": config.data.source if source is FOLDER else ""}


def key_of(field: ConfigField) -> str:
    """The widget's key, which is also its name in the address."""
    return field.flag


def widget(place: DeltaGenerator, path: tuple[str, ...], title: str = "") -> Any:
    """The widget of a TrainConfig field, starting at the shown run's value; `title` replaces the field's name."""
    field = FIELDS[path]
    name = path[-1]
    value = value_at(_start(), path)
    label, unit = title or capitalized(setting_name(field.flag.removeprefix("augment-"))), field.setting.unit
    shared: dict[str, Any] = {
        "label": _("{setting}, {unit}", setting=label, unit=unit_name(unit)) if unit else label,
        "key": key_of(field),
        "help": capitalized(_(field.setting.help)),
        "bind": "query-params",
    }
    if name in _STEPS:
        return place.select_slider(
            options=sorted({*_STEPS[name], value}), value=value, format_func=_format_number, **shared
        )
    if field.choices:
        return place.selectbox(options=field.choices, index=field.choices.index(value), **shared)
    if name in _SLIDERS:
        low, high, step = _SLIDERS[name]
        return place.slider(min_value=low, max_value=max(high, value), value=value, step=step, format="%g", **shared)
    if field.type is int:
        return place.number_input(min_value=0, max_value=int(field.setting.high or 0), value=value, **shared)
    return place.text_input(value=value, **shared)


def _format_number(value: float) -> str:
    """The number as in the address, without thousands separators."""
    return f"{value:g}"


def data_settings(place: DeltaGenerator) -> DataConfig | None:
    """The choice of a data set; None, with the reason shown, if it is incomplete."""
    row = place.container(horizontal=True, vertical_alignment="bottom")
    start = source_of(_start().data)
    name = address.choose(
        row.segmented_control,
        _("Data"),
        {name: source.title for name, source in SOURCES.items()},
        key="data",
        default=start.name,
        required=True,
        width="content",
        help=join_clauses(_(source.about) for source in SOURCES.values()),
    )
    source = SOURCES[name]
    if source.setting != "source":
        title = _("Folder of {data}", data=_(source.title)) if source.setting == "folder" else ""
        choice = {source.setting: widget(row, ("data", source.setting), title)} if source.setting else {}
        return absolute(DataConfig(source=name, **choice))
    path = row.text_input(
        _("Folder"),
        _start().data.source if start is FOLDER else "",
        key="idx-folder",
        bind="query-params",
        help=_(
            "Path of a folder with the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…, or .gz of "
            "them, as MNIST, EMNIST, Kaggle and torchvision provide them; or of an .npz file in Keras's format"
        ),
    )
    if not path:
        place.info(_("Enter a folder with four files in MNIST's format, or an .npz file."))
        return None
    return absolute(DataConfig(source=path))


def augmentation_settings(place: DeltaGenerator) -> AugmentConfig:
    """Sliders for the random distortions, side by side."""
    columns = place.columns(4)
    names = [field.path[-1] for field in describe(AugmentConfig)]
    return AugmentConfig(
        **{name: widget(column, ("augment", name)) for name, column in zip(names, columns, strict=True)}
    )


_MAIN = (("epochs",), ("learning_rate",), ("batch_size",), ("model", "architecture"), ("model", "channels"))
_MORE = {
    N_("Recipe"): (("optimizer",), ("schedule",), ("weight_decay",), ("label_smoothing",), ("model", "kernel")),
    N_("Augmentation: random distortions of each training image"): tuple(
        ("augment", field.path[-1]) for field in describe(AugmentConfig)
    ),
    N_("Images"): (("data", "train_size"), ("validation_size",), ("data", "test_size")),
    N_("Arithmetic"): (("seed",), ("precision",), ("device",)),
}


def training_settings(place: DeltaGenerator) -> TrainConfig | None:
    """The five settings that matter most, and the others below them, folded; None, with the reason shown, if they
    contradict each other or the data set is incomplete.
    """
    values: dict[tuple[str, ...], Any] = {path: widget(place, path) for path in _MAIN}
    with place.expander(_("More settings"), icon=":material/tune:"):
        data_config = data_settings(st.container())
        for title, paths in _MORE.items():
            st.markdown(f"**{_(title)}**")
            values |= {path: widget(st.container(), path) for path in paths}
    if data_config is None:
        return None
    try:
        return replace_fields(_start().replace(data=data_config), values)
    except ConvNetError as error:
        place.error(remedy.text_of(error))
        return None


def set_preset(name: str) -> None:
    """Set the widgets to a preset's values. Call it from a callback, before the widgets are drawn."""
    values = {key_of(field): value_at(PRESETS[name], path) for path, field in FIELDS.items() if path[0] != "data"}
    st.session_state.update(values)


def preset_of(config: TrainConfig) -> str | None:
    """The preset with these settings, ignoring the data; None for custom settings."""
    without_data = config.replace(data=DataConfig())
    return next((name for name, preset in PRESETS.items() if preset == without_data), None)
