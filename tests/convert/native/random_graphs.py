"""Random ONNX graphs as a Hypothesis strategy.

A graph grows node by node. Each new node runs in `onnx.reference` right away, so its output shapes, dtypes and values
are known before the next node is drawn.
"""

from hypothesis import assume
from hypothesis import strategies as st

from tests.convert.native import random_compute_nodes, random_movement_nodes  # noqa: F401  # they register operators
from tests.convert.native.random_drafts import NODES, Draft, model_of


@st.composite
def graphs(draw, most=6, ops=None):
    """A model, its inputs by name, and its expected outputs by name."""
    draft = Draft(draw)
    for op in draw(st.lists(st.sampled_from(sorted(ops or NODES)), min_size=1, max_size=most)):
        draft.add(op)
    outputs = [name for node in draft.nodes for name in node.output]
    free = {
        name: draw(st.lists(st.integers(0, 3), max_size=2))
        if draft.values[name].ndim and name not in draft.sized
        else []
        for name in draft.inputs
    }
    assume(draft.inputs)
    model = model_of(draft.nodes, draft.values, draft.constants, outputs, free)
    return model, {name: draft.values[name] for name in draft.inputs}, {name: draft.values[name] for name in outputs}
