"""How the pages' charts look: colours that everybody can tell apart, axes with labels and units."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
"""Okabe and Ito's palette, less its yellow and black, which vanish on a light or a dark page.

Source: jfly.uni-koeln.de/color
"""

SEQUENTIAL = "Blues"
"""The colour scale of counts; its lightness alone tells high from low."""


def styled(figure: go.Figure, x: str, y: str, *, height: int = 380, **layout: Any) -> go.Figure:
    """The figure with its axes labelled, small margins and the legend below."""
    figure.update_layout(
        xaxis_title=x,
        yaxis_title=y,
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
        colorway=COLOURS,
        **layout,
    )
    return figure


def confusion(counts: Any, x: str, y: str, *, hide_diagonal: bool = False) -> go.Figure:
    """A square matrix of counts, row: y; column: x. The diagonal is left out where it would drown the rest."""
    shades = [
        [None if hide_diagonal and row == column else count for column, count in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shades,
            text=counts,
            texttemplate="%{text}",
            colorscale=SEQUENTIAL,
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate=f"{y}: %{{y}}<br>{x}: %{{x}}<br>%{{text}} images<extra></extra>",
        )
    )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(dtick=1, autorange="reversed")
    return styled(figure, x, y, height=420)
