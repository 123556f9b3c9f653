"""The style of the pages' charts: colors that everyone can tell apart, and axes with labels and units."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

# Plotly 7.1 uses pandas even if another session's thread is still importing it; a chart then fails with "partially
# initialized module 'pandas' has no attribute 'Series'". Importing it here waits until it is complete.
import pandas as pd  # noqa: F401
import plotly.graph_objects as go

from convnet_core.language import _, cache_by_language
from convnet_core.runtimes.specs import spec_of

COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#AA4499", "#999999")
"""Okabe and Ito's palette without yellow and black, which vanish on a light or dark page, plus Tol's purple.

Sources: jfly.uni-koeln.de/color, personal.sron.nl/~pault
"""

SEQUENTIAL = "Blues"
"""The color scale for counts; lightness alone distinguishes high from low."""

SEQUENTIAL_DARK = ((0.0, "#1B2733"), (1.0, "#2E86C8"))
"""The same for a dark page, where the lowest count is darkest."""


def color_of(runtime: str) -> str:
    """The color of a runtime, the same for both converters."""
    return spec_of(runtime).color


def symbol_of(runtime: str) -> str:
    """The marker symbol of a runtime; open for a converter other than the pipeline's."""
    return spec_of(runtime).symbol + ("-open" if "/" in runtime else "")


def line_of(runtime: str) -> dict[str, Any]:
    """The line style of a runtime; dotted for a converter other than the pipeline's."""
    return {"color": color_of(runtime), "dash": "dot" if "/" in runtime else "solid"}


def bar_of(runtime: str) -> dict[str, Any]:
    """The bar style of a runtime; hatched for a converter other than the pipeline's."""
    return {"color": color_of(runtime), "pattern": {"shape": "/" if "/" in runtime else ""}}


def style_figure(figure: go.Figure, x: str, y: str, *, height: int = 380, **layout: Any) -> go.Figure:
    """Label the axes, set small margins, and put the legend below the figure."""
    figure.update_layout(
        xaxis_title=x,
        yaxis_title=y,
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
        colorway=COLORS,
        **layout,
    )
    return figure


Counts = tuple[tuple[int, ...], ...]
Series = tuple[str, tuple[int, ...], tuple[float, ...]]
"""Name, x positions, heights."""

_CACHED_FIGURES = 16
"""Number of cached figures of each kind, shared by all sessions, which only read them. Plotly takes 10 to 40 ms to
build one, longer than the rest of a page, and every slider movement redraws the page."""


@cache_by_language(_CACHED_FIGURES)
def confusion(counts: Counts, x: str, y: str, *, hide_diagonal: bool = False, dark: bool = False) -> go.Figure:
    """A square matrix of counts, rows: y, columns: x. `hide_diagonal` helps when the diagonal dwarfs the rest."""
    shades = [
        [None if hide_diagonal and row == column else count for column, count in enumerate(line)]
        for row, line in enumerate(counts)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shades,
            text=counts,
            texttemplate="%{text}",
            colorscale=SEQUENTIAL_DARK if dark else SEQUENTIAL,
            colorbar={"title": {"text": _("images")}, "thickness": 12},
            xgap=1,
            ygap=1,
            hovertemplate=_(
                "{y}: {row}<br>{x}: {column}<br>{count} images", y=y, x=x, row="%{y}", column="%{x}", count="%{text}"
            )
            + "<extra></extra>",
        )
    )
    figure.update_xaxes(dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(dtick=1, autorange="reversed", showgrid=False, zeroline=False)
    return style_figure(figure, x, y, height=420)


@cache_by_language(_CACHED_FIGURES)
def per_digit(counts: Counts) -> go.Figure:
    """The accuracy of each digit, from a confusion matrix whose rows are the true digits."""
    shares = [100 * line[digit] / max(1, sum(line)) for digit, line in enumerate(counts)]
    figure = go.Figure(go.Bar(x=list(range(len(shares))), y=shares, text=[f"{share:.1f}" for share in shares]))
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[max(0, min(shares) // 1 - 5), 100])
    return style_figure(figure, _("digit"), _("accuracy, %"), height=420)


@lru_cache(_CACHED_FIGURES)
def bars(series: tuple[Series, ...], x: str, y: str, *, height: int) -> go.Figure:
    """Grouped bars at digits, for each series."""
    figure = go.Figure()
    for name, positions, heights in series:
        figure.add_bar(x=positions, y=heights, name=name)
    figure.update_xaxes(dtick=1)
    return style_figure(figure, x, y, height=height)
