"""Widgets for the inputs of an imported model: sizes of free dimensions and ranges of values."""

from __future__ import annotations

import numpy as np
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.errors import ConvNetError
from convnet_core.graphs import graph_file
from convnet_core.graphs.graph import Tensor
from convnet_core.language import _
from convnet_core.onnx_files.shapes import Dimension
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import DYNAMIC_SIZE
from convnet_core.tensors.model_inputs import InputSpec
from pages.components import graph_explorer as graph
from pages.components import job_area as jobs
from pages.components import run_state as shared

_LARGEST_SIZE = 65_536


def model_tensors(run: Run, kind: str) -> list[Tensor]:
    """The inputs or outputs ("input", "output") of a run's model. Raises ModelError or RunError."""
    path = graph_file.path_in(run)
    model = graph.read(path, digest(path))
    names = [name for node in model.nodes if node.kind == kind for name in (*node.inputs, *node.outputs)]
    return model.tensors_of(names)


def input_flags(run: Run, previous: InputSpec) -> list[str]:
    """Show widgets for every input, starting with the previous values; returns the equivalent command-line flags."""
    try:
        inputs = model_tensors(run, "input")
    except ConvNetError as error:
        jobs.show_error(error)
        return []
    flags = []
    with st.expander(_("Input values"), icon=":material/input:"):
        st.caption(
            _(
                "Each input gets random numbers of its type. Choose the free sizes, and a realistic range of values, "
                "such as the brightness of a pixel. If you leave the range at 0 to 1, indices, lengths and the like "
                "are drawn from all values that the model accepts."
            )
        )
        for tensor in inputs:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.markdown(f"`` {tensor.name} ``  \n{tensor.text}", width=260)
                flags += [*_shape_flags(run, tensor, previous), *_range_flags(run, tensor, previous)]
        if previous.files and st.toggle(
            _("Read the samples from the same files as last time"),
            True,
            key=f"files of {run.name}",
            help="; ".join(f"{name}: {file}" for name, file in previous.files.items()),
        ):
            flags += InputSpec(files=previous.files).arguments()
    return flags


def _number_input(run: Run, tensor: Tensor, what: str, low: float, high: float, value: float, label: str = "") -> float:
    """A number input that starts with the run's value; `label` replaces the name `what`."""
    key = f"{tensor.name} {what}"
    shared.set_initial_values(run, **{key: value})
    kind = type(value)
    return float(st.number_input(label or what, kind(low), kind(high), value, key=key, width=150))


def _shape_flags(run: Run, tensor: Tensor, previous: InputSpec) -> list[str]:
    shape = tensor.shape or ()
    free = [axis for axis, size in enumerate(shape) if axis and not isinstance(size, int)]
    before = previous.shapes.get(tensor.name, ())
    sizes = [_batch_size(shape), *(DYNAMIC_SIZE if axis in free else size for axis, size in enumerate(shape) if axis)]
    for axis in free:
        name, label = str(shape[axis] or f"dimension {axis}"), "" if shape[axis] else _("dimension {axis}", axis=axis)
        size = before[axis] if axis < len(before) else DYNAMIC_SIZE
        sizes[axis] = int(_number_input(run, tensor, name, 1, _LARGEST_SIZE, size, label))
    unchanged = all(sizes[axis] == DYNAMIC_SIZE for axis in free)
    return [] if unchanged else ["--shape", f"{tensor.name}={','.join(map(str, sizes))}"]


def _batch_size(shape: tuple[Dimension, ...]) -> Dimension:
    return shape[0] if shape and isinstance(shape[0], int) else 1


def _range_flags(run: Run, tensor: Tensor, previous: InputSpec) -> list[str]:
    """Flags for the lowest and the highest value; none for inputs that are not numbers."""
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError:
        return []
    if dtype.kind not in "iuf":
        return []
    is_integer = dtype.kind in "iu"
    default: tuple[float, float] = (0, 1) if is_integer else (0.0, 1.0)
    limits: tuple[float, float] = (-(2.0**24), 2.0**24)
    if is_integer:
        bounds = np.iinfo(dtype)
        limits = (max(int(bounds.min), -(2**31)), min(int(bounds.max), 2**31))
        default = limits if dtype.itemsize == 1 else default
    before = previous.ranges.get(tensor.name, default)
    kind = int if is_integer else float
    low = kind(_number_input(run, tensor, "lowest", limits[0], limits[1], kind(before[0]), _("lowest")))
    high = kind(_number_input(run, tensor, "highest", limits[0], limits[1], kind(before[1]), _("highest")))
    if (low, high) == default:
        return []
    if low > high:
        st.error(_("The lowest value is greater than the highest."))
        return []
    return ["--range", f"{tensor.name}={low},{high}"]
