"""Widgets for the settings of a conversion."""

from __future__ import annotations

import streamlit as st

from convnet_core.config.fields import describe
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.targets.table import TARGETS
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES


def choose_converter() -> str:
    """A widget that chooses a converter."""
    return str(
        st.selectbox(
            _("Converter"),
            [stage.partition("/")[2] for stage in CONVERT_STAGES],
            key="converter",
            bind="query-params",
            width=300,
            help=_("Builds the TensorFlow graph from the ONNX nodes, and determines which ops each node becomes"),
        )
    )


def conversion_settings(run: Run, converter: str) -> ConvertConfig:
    """Show the widgets; returns the config they describe."""
    fields = {field.path[0]: field for field in describe(ConvertConfig)}
    default = ConvertConfig()
    left, right = st.columns(2)
    size = left.select_slider(
        _("Calibration samples") if run.is_model else _("Calibration images"),
        [1, 2, 4, 8, 16, 32, 64] if run.is_model else [1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        64 if run.is_model else default.calibration_size,
        key="calibration-samples" if run.is_model else "calibration-size",
        bind="query-params",
        help=_(
            "Used to calibrate the value ranges of int8 tensors. Too few make int8 less accurate; many make the "
            "conversion slower. Other formats do not use them"
        ),
    )
    seed = right.number_input(
        _("Calibration seed"),
        0,
        int(fields["seed"].setting.high or 0),
        default.seed,
        key="calibration-seed",
        bind="query-params",
        help=_("Selects what int8 is calibrated on. A different seed changes the int8 answers slightly"),
    )
    left, middle, right = st.columns(3)
    native = converter == default.converter
    layout = left.selectbox(
        _("Layout of images"),
        fields["layout"].choices,
        key="layout",
        bind="query-params",
        disabled=not native,
        help=_(
            "nchw: images have ONNX's layout. nhwc: channels last, as cameras deliver them, without a transpose at the "
            "inputs and outputs; only for the native converter"
        ),
    )
    integers = _("With integers the file skips a conversion step, but the caller has to apply its scale and zero point")
    int8_inputs, int8_outputs = (
        column.selectbox(label, fields[name].choices, key=name, bind="query-params", help=integers)
        for column, label, name in (
            (middle, _("int8 file: inputs"), "int8_inputs"),
            (right, _("int8 file: outputs"), "int8_outputs"),
        )
    )
    names = {target.name: target.title for target in TARGETS}
    only = st.multiselect(
        _("Formats"),
        list(names),
        format_func=names.__getitem__,
        key="only",
        bind="query-params",
        placeholder=_("all"),
        help=_("The formats to write; the comparison and the benchmark then cover only these"),
    )
    return default.replace(
        converter=converter,
        calibration_size=size,
        seed=seed,
        layout=layout if native else default.layout,
        int8_inputs=int8_inputs,
        int8_outputs=int8_outputs,
        only=tuple(name for name in names if name in only),
    )
