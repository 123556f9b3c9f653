"""The details of a node: its ops, weights and errors."""

from __future__ import annotations

import streamlit as st

from convnet_core.dissect.report import content, weight_layouts
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.language import _
from pages.charts import dissection as figures
from pages.components.markdown import code, escape


def show(report: DissectionReport, name: str) -> None:
    """Show the details of one node."""
    entry = next((item for item in report.entries if item.name == name), None)
    result = next((item for item in report.nodes if item.name == name), None)
    op_type = entry.op_type if entry else ""
    st.header(escape(" ".join(f"{op_type} {name}".split())), anchor=False)
    left, right = st.columns(2)
    with left:
        ops = [
            {_("TensorFlow op"): op.type, _("Shapes"): weight_layouts.shapes_text(op.shapes), _("Name"): op.name}
            for op in (entry.ops if entry else ())
        ]
        instead = [{_("TensorFlow op"): content.instead_of_ops(entry) if entry else "", _("Shapes"): "", _("Name"): ""}]
        st.dataframe(ops or instead, hide_index=True, width="stretch")
        lite = [
            {
                _("LiteRT op"): op.type,
                _("Shapes"): weight_layouts.shapes_text(op.shapes),
                _("ONNX nodes"): ", ".join(op.nodes),
            }
            for op in report.litert
            if name in op.nodes
        ]
        st.dataframe(lite or [{_("LiteRT op"): _("(none)")}], hide_index=True, width="stretch")
        for transpose in report.transposes:
            if transpose.node == name:
                text = (
                    _("{op}: a transpose for {what}, by {order}.")
                    if transpose.perm
                    else _("{op}: a transpose for {what}.")
                )
                st.caption(text.format(op=transpose.op, what=transpose.what, order=transpose.perm))
        for weight in report.weights:
            if weight.node == name:
                st.markdown(f"{code(weight.name)} {weight_layouts.describe_move(weight, op_type)}")
                if image := weight_layouts.draw_arrows(weight, op_type):
                    st.image(image, alt=weight_layouts.describe_move(weight, op_type))
        for fusion in report.fusions.nodes:
            if fusion.node == name:
                where, formula = fusion.where, report.fusions.formula
                st.markdown(
                    _(
                        "A BatchNorm is folded into this node in {where}: {formula}, ε = {epsilon:g}.",
                        where=where,
                        formula=formula,
                        epsilon=fusion.epsilon,
                    )
                )
                first = ", ".join(f"{key} = {value:.4g}" for key, value in fusion.channel.items())
                st.caption(
                    _(
                        "First channel: {values}. The folded weights are off by {error:.0e} of the range.",
                        values=first,
                        error=fusion.error,
                    )
                )
    with right:
        if result is None:
            st.info(_("This node has no float outputs to compare."))
            return
        st.dataframe(
            [
                {
                    _("Runtime"): runtime,
                    _("relative error"): error.whole.relative,
                    _("added error"): error.own,
                    _("× noise"): error.multiple,
                    _("max error"): error.whole.max,
                    _("mean error"): error.whole.mean,
                    _("cosine"): error.whole.cosine,
                    _("value"): _("recomputed") if error.remade else _("direct"),
                }
                for runtime, error in result.runtimes.items()
            ],
            hide_index=True,
            width="stretch",
            column_config={
                **dict.fromkeys(
                    (_("max error"), _("mean error"), _("relative error"), _("added error")),
                    st.column_config.NumberColumn(format="%.1e"),
                ),
                _("cosine"): st.column_config.NumberColumn(format="%.8f"),
                _("× noise"): st.column_config.NumberColumn(format="%.1f"),
                _("value"): st.column_config.TextColumn(
                    help=_(
                        "recomputed: the runtime does not expose this value because it fuses the node into a larger "
                        "operator; the value is computed from the previous ones, in the runtime's arithmetic"
                    )
                ),
            },
        )
        for runtime, shape in result.shape_differs.items():
            st.caption(
                _(
                    "{runtime} gives this value the shape {shape}, so it is not compared here.",
                    runtime=runtime,
                    shape=weight_layouts.shape_text(shape),
                )
            )
        low, high = result.range
        st.caption(
            _(
                "Float32 noise here: {noise:.1e} of the range {low:.3g} … {high:.3g}.",
                noise=result.noise,
                low=low,
                high=high,
            )
        )
        st.plotly_chart(figures.histogram(result.runtimes), width="stretch", key="dissect-histogram")
        st.caption(_("Dashed: the error that one node may add in this precision, before it is a finding."))
