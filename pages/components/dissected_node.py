"""The details of a node: its ops, weights and errors."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convnet_core.dissect.report import content as report
from convnet_core.dissect.report import weight_layouts
from pages.charts import dissection as figures


def show(content: dict[str, Any], name: str) -> None:
    """Show the details of one node."""
    entry: dict[str, Any] = next(
        (item for item in content["entries"] if item["name"] == name), {"ops": [], "became": ""}
    )
    comparison = next((item for item in content["nodes"] if item["name"] == name), None)
    st.subheader(f"{entry.get('op_type', '')} {name}", anchor=False)
    left, right = st.columns(2)
    with left:
        ops = [
            {"TensorFlow op": op["type"], "Shapes": weight_layouts.shapes_text(op["shapes"]), "Name": op["name"]}
            for op in entry["ops"]
        ]
        ops += [{"TensorFlow op": report.instead_of_ops(entry), "Shapes": "", "Name": ""}] if not ops else []
        st.dataframe(ops, hide_index=True, width="stretch")
        lite = [
            {
                "LiteRT op": op["type"],
                "Shapes": weight_layouts.shapes_text(op["shapes"]),
                "ONNX nodes": ", ".join(op["nodes"]),
            }
            for op in content["litert"]
            if name in op["nodes"]
        ]
        st.dataframe(lite or [{"LiteRT op": "(none)"}], hide_index=True, width="stretch")
        for item in content["transposes"]:
            if item["node"] == name:
                order = f", by {tuple(item['perm'])}" if item.get("perm") else ""
                st.caption(f"{item['op']}: a transpose for {item['what']}{order}.")
        for weight in content["weights"]:
            if weight["node"] == name:
                st.markdown(f"`{weight['name']}` {weight_layouts.describe_move(weight, entry.get('op_type', ''))}")
                if image := weight_layouts.draw_arrows(weight, entry.get("op_type", "")):
                    st.image(image)
        for fusion in content["fusions"]["nodes"]:
            if fusion["node"] == name:
                where, formula = fusion["where"], content["fusions"]["formula"]
                st.markdown(f"A BatchNorm is folded into this node in {where}: {formula}, ε = {fusion['epsilon']:g}.")
                first = ", ".join(f"{key} = {value:.4g}" for key, value in fusion["channel"].items())
                st.caption(f"First channel: {first}. The folded weights are off by {fusion['error']:.0e} of the range.")
    with right:
        if comparison is None:
            st.info("This node has no float outputs to compare.")
            return
        st.dataframe(
            [
                {
                    "Runtime": runtime,
                    "relative error": report.parse_number(item["whole"]["relative"]),
                    "added error": report.parse_number(item["own"]),
                    "× noise": report.parse_number(item["multiple"]),
                    "max error": report.parse_number(item["whole"]["max"]),
                    "mean error": report.parse_number(item["whole"]["mean"]),
                    "cosine": report.parse_number(item["whole"]["cosine"]),
                    "value": "recomputed" if item["remade"] else "direct",
                }
                for runtime, item in comparison["runtimes"].items()
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
        for runtime, shape in comparison["shape_differs"].items():
            st.caption(
                f"{runtime} gives this value the shape {weight_layouts.shape_text(shape)}, so it is not compared here."
            )
        low, high = comparison["range"]
        st.caption(f"Float32 noise here: {comparison['noise']:.1e} of the range {low:.3g} … {high:.3g}.")
        st.plotly_chart(figures.histogram(comparison["runtimes"]), width="stretch", key="dissect-histogram")
