"""The details of a node: its ops, weights and errors."""

from __future__ import annotations

import streamlit as st

from convnet_core.dissect.report import content, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from pages.charts import dissection as figures


def show(report: DissectionReport, name: str) -> None:
    """Show the details of one node."""
    entry = next((item for item in report.entries if item.name == name), None)
    result = next((item for item in report.nodes if item.name == name), None)
    op_type = entry.op_type if entry else ""
    st.subheader(f"{op_type} {name}", anchor=False)
    left, right = st.columns(2)
    with left:
        ops = [
            {"TensorFlow op": op.type, "Shapes": weight_layouts.shapes_text(op.shapes), "Name": op.name}
            for op in (entry.ops if entry else ())
        ]
        instead = [{"TensorFlow op": content.instead_of_ops(entry) if entry else "", "Shapes": "", "Name": ""}]
        st.dataframe(ops or instead, hide_index=True, width="stretch")
        lite = [
            {
                "LiteRT op": op.type,
                "Shapes": weight_layouts.shapes_text(op.shapes),
                "ONNX nodes": ", ".join(op.nodes),
            }
            for op in report.litert
            if name in op.nodes
        ]
        st.dataframe(lite or [{"LiteRT op": "(none)"}], hide_index=True, width="stretch")
        for transpose in report.transposes:
            if transpose.node == name:
                order = f", by {transpose.perm}" if transpose.perm else ""
                st.caption(f"{transpose.op}: a transpose for {transpose.what}{order}.")
        for weight in report.weights:
            if weight.node == name:
                st.markdown(f"`{weight.name}` {weight_layouts.describe_move(weight, op_type)}")
                if image := weight_layouts.draw_arrows(weight, op_type):
                    st.image(image, alt=weight_layouts.describe_move(weight, op_type))
        for fusion in report.fusions.nodes:
            if fusion.node == name:
                where, formula = fusion.where, report.fusions.formula
                st.markdown(f"A BatchNorm is folded into this node in {where}: {formula}, ε = {fusion.epsilon:g}.")
                first = ", ".join(f"{key} = {value:.4g}" for key, value in fusion.channel.items())
                st.caption(f"First channel: {first}. The folded weights are off by {fusion.error:.0e} of the range.")
    with right:
        if result is None:
            st.info("This node has no float outputs to compare.")
            return
        st.dataframe(
            [
                {
                    "Runtime": runtime,
                    "relative error": error.whole.relative,
                    "added error": error.own,
                    "× noise": error.multiple,
                    "max error": error.whole.max,
                    "mean error": error.whole.mean,
                    "cosine": error.whole.cosine,
                    "value": "recomputed" if error.remade else "direct",
                }
                for runtime, error in result.runtimes.items()
            ],
            hide_index=True,
            width="stretch",
            column_config={
                **dict.fromkeys(
                    ("max error", "mean error", "relative error", "added error"),
                    st.column_config.NumberColumn(format="%.1e"),
                ),
                "cosine": st.column_config.NumberColumn(format="%.8f"),
                "× noise": st.column_config.NumberColumn(format="%.1f"),
                "value": st.column_config.TextColumn(
                    help="recomputed: the runtime does not expose this value because it fuses the node into a larger "
                    "operator; the value is computed from the previous ones, in the runtime's arithmetic"
                ),
            },
        )
        for runtime, shape in result.shape_differs.items():
            st.caption(
                f"{runtime} gives this value the shape {weight_layouts.shape_text(shape)}, so it is not compared here."
            )
        low, high = result.range
        st.caption(f"Float32 noise here: {result.noise:.1e} of the range {low:.3g} … {high:.3g}.")
        st.plotly_chart(figures.histogram(result.runtimes), width="stretch", key="dissect-histogram")
        st.caption("Dashed: the error that one node may add in this precision, before it is a finding.")
