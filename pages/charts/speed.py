"""The charts of a benchmark."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from convnet_core.benchmark.results import Speed, format_figure, format_milliseconds
from convnet_core.common.formatting import format_size
from convnet_core.language import _
from pages.charts import style as charts

_CHART_WIDTH = 395  # pixels: two charts in a row at 1280, one at 800


def bars(
    speeds: tuple[Speed, ...], x: str, show: Callable[[float], str], parts: dict[str, Callable[[Speed], float | None]]
) -> go.Figure:
    """A stacked bar for each runtime, labeled with its sum. Runtimes with an unmeasured part have no bar.

    `parts` are by name.
    """
    figure = go.Figure()
    measured = [speed for speed in speeds if all(part(speed) is not None for part in parts.values())]
    names = [f"{speed.name}  {show(sum(part(speed) or 0 for part in parts.values()))}" for speed in measured]
    for name, part in parts.items():
        figure.add_bar(
            y=names,
            x=[part(speed) for speed in measured],
            name=name,
            orientation="h",
            hovertemplate="%{y}<br>%{fullData.name}: %{x:.4~g}<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(barmode="stack", showlegend=len(parts) > 1)
    charts.style_figure(figure, x, "", height=(170 if len(parts) > 1 else 110) + 30 * len(measured))
    return figure.update_layout(legend_traceorder="normal")


def latency(speeds: tuple[Speed, ...]) -> go.Figure:
    """The median at the smallest batch, with a line to the 95th percentile, on a log scale: both differ widely."""
    figure = go.Figure()
    for speed in speeds:
        if timing := speed.latency:
            median, p95 = timing.median_ms or 0.0, timing.p95_ms or 0.0
            figure.add_scatter(
                x=[median],
                y=[f"{speed.name}  {format_milliseconds(median)}"],
                error_x={"type": "data", "symmetric": False, "array": [p95 - median], "color": "#888888"},
                marker={"color": charts.color_of(speed.name), "symbol": charts.symbol_of(speed.name), "size": 12},
                mode="markers",
                hovertemplate=_(
                    "{runtime}<br>median {median}, p95 {p95}",
                    runtime=speed.name,
                    median=format_milliseconds(median),
                    p95=format_milliseconds(p95),
                )
                + "<extra></extra>",
            )
    figure.update_xaxes(type="log", tickformat="~g", dtick=1)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    height = 110 + 30 * len(figure.data)
    return charts.style_figure(figure, _("ms per call (log scale); line: to p95"), "", height=height, showlegend=False)


def throughput(speeds: tuple[Speed, ...]) -> go.Figure:
    """Samples per second by batch size, a line for each runtime."""
    figure = go.Figure()
    for speed in speeds:
        timings = [timing for timing in speed.timings if timing.calls]
        figure.add_scatter(
            x=[timing.batch for timing in timings],
            y=[timing.samples_per_second for timing in timings],
            name=speed.name,
            mode="lines+markers",
            line=charts.line_of(speed.name),
            marker={"symbol": charts.symbol_of(speed.name), "size": 9},
            hovertemplate=_(
                "{runtime}<br>batch {size}: {speed} samples/s", runtime=speed.name, size="%{x}", speed="%{y:,.0f}"
            )
            + "<extra></extra>",
        )
    sizes = sorted({timing.batch for speed in speeds for timing in speed.timings})
    figure.update_xaxes(type="log", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes])
    figure.update_yaxes(type="log", dtick="D2", tickformat="~s")
    return charts.style_figure(figure, _("batch size, samples"), _("samples/s"), height=460)


def show_chart(title: str, figure: go.Figure) -> None:
    """Show a chart, next to others if there is room."""
    with st.container(width=_CHART_WIDTH):
        st.header(title)
        st.plotly_chart(figure, width="stretch", alt=title)


def show_charts(speeds: tuple[Speed, ...]) -> None:
    """Show all charts of a benchmark."""
    smallest = next((speed.latency.batch for speed in speeds if speed.latency), 1)
    with st.container(horizontal=True, gap="small"):
        show_chart(_("Latency at batch {size}", size=smallest), latency(speeds))
        first = bars(
            speeds,
            "s",
            lambda value: f"{format_figure(value)} s",
            {
                _("import the library"): lambda speed: speed.import_seconds,
                _("load the model"): lambda speed: speed.load_seconds,
                _("first answer"): lambda speed: speed.first_seconds,
            },
        )
        show_chart(_("Time to the first answer"), first)
        memory = bars(
            speeds,
            _("MB resident"),
            lambda value: f"{format_figure(value)} MB",
            {
                _("library and model"): lambda speed: speed.loaded_mb,
                _("more at its peak"): lambda speed: speed.more_at_peak_mb,
            },
        )
        show_chart(_("Added memory"), memory)
        size = bars(
            speeds, "kB", lambda value: format_size(int(1e3 * value)), {_("size"): lambda speed: speed.bytes / 1e3}
        )
        show_chart(_("Size on disk"), size)
    st.header(title := _("Throughput by batch size"))
    st.plotly_chart(throughput(speeds), width="stretch", alt=title)
