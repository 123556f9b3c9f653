"""The inputs and outputs of what a conversion wrote."""

from __future__ import annotations

import streamlit as st

from convnet_core.artifacts import artifact
from convnet_core.artifacts.artifact import Artifact
from convnet_core.convert.signature import Port, Signature
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import shape_text
from pages.components import artifacts as files


def show_signature(run: Run, item: Artifact) -> None:
    """Show the names, types and shapes of the inputs and outputs of the SavedModel and the LiteRT files."""
    artifact.check_files(run, item)
    signature = Signature.load((run.path / item.path).parent)
    st.header(_("Signature"))
    st.write(
        _(
            "The inputs and outputs of the SavedModel's `serving_default`. The LiteRT files have the same ones, "
            "except for some types."
        )
    )
    st.dataframe(
        [
            {
                _("Side"): side,
                _("TensorFlow name"): port.tensorflow,
                _("ONNX name"): port.onnx,
                _("Type"): _type(port),
                _("Shape"): shape_text(port.shape),
            }
            for side, ports in ((_("input"), signature.inputs), (_("output"), signature.outputs))
            for port in ports
        ],
        hide_index=True,
        width="stretch",
    )
    files.download_button(run, item)


def _type(port: Port) -> str:
    """The type of a port, and that in the int8 file if it has another."""
    return _("{type}, {int8} in the int8 file", type=port.dtype, int8=port.int8) if port.int8 else port.dtype
