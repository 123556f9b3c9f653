"""The settings of a conversion as widgets."""

from __future__ import annotations

import streamlit as st

from convnet_core.config.fields import describe
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.targets.table import TARGETS
from convnet_core.runs.run import Run


def settings(run: Run) -> ConvertConfig:
    """Widgets that make a config."""
    images = "Samples" if run.is_model else "Training images"
    fields = {field.path[0]: field for field in describe(ConvertConfig)}
    default = ConvertConfig()
    left, middle, right = st.columns(3)
    size = left.select_slider(
        "Calibration samples" if run.is_model else "Calibration images",
        [1, 2, 4, 8, 16, 32, 64] if run.is_model else [1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        64 if run.is_model else default.calibration_size,
        key="calibration-samples" if run.is_model else "calibration-size",
        bind="query-params",
        help=f"{images} that fix the ranges of the int8 tensors. Few make int8 less exact, many make the "
        "conversion slower. The other artefacts do not depend on them",
    )
    seed = middle.number_input(
        "Calibration seed",
        0,
        int(fields["seed"].setting.high or 0),
        default.seed,
        key="calibration-seed",
        bind="query-params",
        help=f"Which {images.lower()} are taken. Another seed gives int8 slightly other answers",
    )
    converter = right.selectbox(
        "Converter",
        fields["converter"].choices,
        key="converter",
        bind="query-params",
        help="What makes the TensorFlow graph out of the ONNX nodes. It decides into which ops a node is taken apart",
    )
    left, middle, right = st.columns(3)
    native = converter == default.converter
    layout = left.selectbox(
        "Layout of images",
        fields["layout"].choices,
        key="layout",
        bind="query-params",
        disabled=not native,
        help="nchw: images go in and come out as in ONNX. nhwc: channels last, as cameras have them, and no transpose "
        "is left at the borders; the native converter's alone",
    )
    border = "Whole numbers save the file a step, and whoever calls it has to use its scale and zero point"
    int8_inputs, int8_outputs = (
        column.selectbox(label, fields[name].choices, key=name, bind="query-params", help=border)
        for column, label, name in (
            (middle, "The int8 file takes", "int8_inputs"),
            (right, "The int8 file gives", "int8_outputs"),
        )
    )
    names = {target.name: target.title for target in TARGETS}
    only = st.multiselect(
        "Formats",
        list(names),
        format_func=names.__getitem__,
        key="only",
        bind="query-params",
        placeholder="all",
        help="What is written; the comparison and the benchmark then cover these alone",
    )
    return ConvertConfig(
        converter=converter,
        calibration_size=size,
        seed=seed,
        layout=layout if native else default.layout,
        int8_inputs=int8_inputs,
        int8_outputs=int8_outputs,
        only=tuple(name for name in names if name in only),
    )
