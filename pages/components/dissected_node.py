"""One node on all sides: its ops, its weights, its errors."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convnet_core.dissect.report import content as report
from convnet_core.dissect.report import weight_layouts
from pages.charts import dissection as figures


def show(content: dict[str, Any], name: str) -> None:
    """One node on all sides."""
    entry: dict[str, Any] = next(
        (item for item in content["entries"] if item["name"] == name), {"ops": [], "became": ""}
    )
    seen = next((item for item in content["nodes"] if item["name"] == name), None)
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
                "ONNX nodes in it": ", ".join(op["nodes"]),
            }
            for op in content["litert"]
            if name in op["nodes"]
        ]
        st.dataframe(lite or [{"LiteRT op": "(none of its own)"}], hide_index=True, width="stretch")
        for item in content["transposes"]:
            if item["node"] == name:
                order = f", by {tuple(item['perm'])}" if item.get("perm") else ""
                st.caption(f"{item['op']}: a transpose for {item['what']}{order}.")
        for weight in content["weights"]:
            if weight["node"] == name:
                st.markdown(f"`{weight['name']}` {weight_layouts.describe_move(weight, entry.get('op_type', ''))}")
                if drawn := weight_layouts.draw_arrows(weight, entry.get("op_type", "")):
                    st.image(drawn)
        for fusion in content["fusions"]["nodes"]:
            if fusion["node"] == name:
                where, formula = fusion["where"], content["fusions"]["formula"]
                st.markdown(f"A BatchNorm is folded into it in {where}: {formula}, ε = {fusion['epsilon']:g}.")
                first = ", ".join(f"{key} = {value:.4g}" for key, value in fusion["channel"].items())
                st.caption(f"First channel: {first}. The folded weights are {fusion['error']:.0e} of their range off.")
    with right:
        if seen is None:
            st.info("It gives no floats, so that there is nothing to compare.")
            return
        st.dataframe(
            [
                {
                    "Runtime": runtime,
                    "of the range": report.parse_number(item["whole"]["relative"]),
                    "adds itself": report.parse_number(item["own"]),
                    "× noise": report.parse_number(item["multiple"]),
                    "max error": report.parse_number(item["whole"]["max"]),
                    "mean error": report.parse_number(item["whole"]["mean"]),
                    "cosine": report.parse_number(item["whole"]["cosine"]),
                    "seen": "remade" if item["remade"] else "itself",
                }
                for runtime, item in seen["runtimes"].items()
            ],
            hide_index=True,
            width="stretch",
            column_config={
                **dict.fromkeys(
                    ("max error", "mean error", "of the range", "adds itself"),
                    st.column_config.NumberColumn(format="%.1e"),
                ),
                "cosine": st.column_config.NumberColumn(format="%.8f"),
                "× noise": st.column_config.NumberColumn(format="%.1f"),
                "seen": st.column_config.TextColumn(
                    help="remade: the runtime keeps this value to itself, inside a larger operator; it is made, in the "
                    "runtime's arithmetic, of the values before it"
                ),
            },
        )
        for runtime, shape in seen["shape_differs"].items():
            st.caption(
                f"{runtime} has it in another shape, {weight_layouts.shape_text(shape)}, and is not compared here."
            )
        st.caption(
            f"Noise of float32 here: {seen['noise']:.1e} of the range {seen['range'][0]:.3g} … {seen['range'][1]:.3g}."
        )
        st.plotly_chart(figures.histogram(seen["runtimes"]), width="stretch", key="dissect-histogram")
