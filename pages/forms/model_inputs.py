"""What the inputs of a model from elsewhere are fed with, as widgets: sizes of free dimensions, ranges of values."""

from __future__ import annotations

import shlex

import numpy as np
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.errors import ConvNetError
from convnet_core.graphs import graph_file
from convnet_core.graphs.graph import Tensor
from convnet_core.onnx_files.shapes import Dimension
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import DYNAMIC_SIZE
from convnet_core.tensors.model_inputs import InputSpec
from pages.components import graph_explorer as graph
from pages.components import job_area as jobs
from pages.components import run_state as shared

_LARGEST_SIZE = 65_536


def ports(run: Run, kind: str) -> list[Tensor]:
    """The inputs or outputs ("input", "output") of a run's model. Raises ModelError or RunError."""
    path = run.file(f"export/{graph_file.FILE}")
    found = graph.read(path, digest(path))
    names = [name for node in found.nodes if node.kind == kind for name in (*node.inputs, *node.outputs)]
    return found.tensors_of(names)


def arguments(run: Run, known: InputSpec) -> list[str]:
    """Widgets for every input, which begin at what is known; the flags that say the same."""
    try:
        inputs = ports(run, "input")
    except ConvNetError as error:
        jobs.explain(error)
        return []
    found = []
    with st.expander("What the inputs are fed with", icon=":material/input:"):
        st.caption(
            "Random numbers that fit each input. Choose the sizes that the model leaves free, and a range of values "
            "that it makes sense for: the brightness of a pixel. Places in a table, lengths and the like are drawn "
            "from all that the model accepts where the range is left at 0 to 1."
        )
        for tensor in inputs:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.markdown(f"`` {tensor.name} ``  \n{tensor.text}", width=260)
                found += [*_sizes(run, tensor, known), *_range(run, tensor, known)]
    if known.files:
        files = [part for name, file in known.files.items() for part in ("--input", f"{name}={file}")]
        st.caption(f"The last time samples from files were taken: {shlex.join(files)} on the command line.")
    return found


def _number(run: Run, tensor: Tensor, what: str, low: float, high: float, value: float) -> float:
    """A number that begins at a run's own value."""
    key = f"{tensor.name} {what}"
    shared.begin_with(run, **{key: value})
    kind = type(value)
    return float(st.number_input(what, kind(low), kind(high), value, key=key, width=150))


def _sizes(run: Run, tensor: Tensor, known: InputSpec) -> list[str]:
    shape = tensor.shape or ()
    free = [axis for axis, size in enumerate(shape) if axis and not isinstance(size, int)]
    before = known.shapes.get(tensor.name, ())
    sizes = [_batch(shape), *(DYNAMIC_SIZE if axis in free else size for axis, size in enumerate(shape) if axis)]
    for axis in free:
        name = str(shape[axis] or f"dimension {axis}")
        size = before[axis] if axis < len(before) else DYNAMIC_SIZE
        sizes[axis] = int(_number(run, tensor, name, 1, _LARGEST_SIZE, size))
    plain = all(sizes[axis] == DYNAMIC_SIZE for axis in free)
    return [] if plain else ["--shape", f"{tensor.name}={','.join(map(str, sizes))}"]


def _batch(shape: tuple[Dimension, ...]) -> Dimension:
    return shape[0] if shape and isinstance(shape[0], int) else 1


def _range(run: Run, tensor: Tensor, known: InputSpec) -> list[str]:
    """The lowest and the highest value; none for what is no number."""
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError:
        return []
    if dtype.kind not in "iuf":
        return []
    whole = dtype.kind in "iu"
    own: tuple[float, float] = (0, 1) if whole else (0.0, 1.0)
    limits: tuple[float, float] = (-(2.0**24), 2.0**24)
    if whole:
        bounds = np.iinfo(dtype)
        limits = (max(int(bounds.min), -(2**31)), min(int(bounds.max), 2**31))
        own = limits if dtype.itemsize == 1 else own
    before = known.ranges.get(tensor.name, own)
    kind = int if whole else float
    low = kind(_number(run, tensor, "lowest", limits[0], limits[1], kind(before[0])))
    high = kind(_number(run, tensor, "highest", limits[0], limits[1], kind(before[1])))
    if (low, high) == own:
        return []
    if low > high:
        st.error("The lowest value is above the highest.")
        return []
    return ["--range", f"{tensor.name}={low},{high}"]
