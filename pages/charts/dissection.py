"""The figure on the Dissect page: histograms of errors."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10

import plotly.graph_objects as go

from convnet_core.dissect.difference import ALLOWED
from convnet_core.dissect.measurements import NodeError
from convnet_core.language import _
from convnet_core.runtimes.specs import spec_of
from pages.charts import style as charts


def histogram(errors: Mapping[str, NodeError]) -> go.Figure:
    """The distribution of errors, a line for each runtime, and what each precision may add at a node."""
    figure = go.Figure()
    for runtime, error in errors.items():
        counts = error.whole.histogram
        step = 12 / len(counts)
        x = [10 ** (-12 + step * (index + 0.5)) for index in range(len(counts))]
        figure.add_trace(go.Scatter(x=x, y=counts, name=runtime, mode="lines", line=charts.line_of(runtime)))
    for precision in dict.fromkeys(spec_of(runtime).precision for runtime in errors):
        limit = ALLOWED[precision]
        figure.add_vline(limit, line={"color": "#888888", "dash": "dash"})
        figure.add_annotation(x=log10(limit), y=1, yref="paper", yanchor="bottom", text=precision, showarrow=False)
    figure.update_xaxes(type="log", exponentformat="power")
    figure.update_yaxes(type="log")
    return charts.style_figure(figure, _("error, as a fraction of the range"), _("values"), height=330)
