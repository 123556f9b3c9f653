"""How the pages' charts look: colours that everybody can tell apart, axes with labels and units."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

# Plotly 7.1 looks for pandas among the modules that are being loaded, too: where another session's thread is at it, a
# chart fails with "partially initialized module 'pandas' has no attribute 'Series'". To import it here is to wait.
import pandas as pd  # noqa: F401
import plotly.graph_objects as go

from convnet_core.runtimes.specs import spec_of

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#AA4499", "#999999")
"""Okabe and Ito's palette, less its yellow and black, which vanish on a light or a dark page, and Tol's purple.

Sources: jfly.uni-koeln.de/color, personal.sron.nl/~pault
"""

SEQUENTIAL = "Blues"
"""The colour scale of counts; its lightness alone tells high from low."""

SEQUENTIAL_DARK = ((0.0, "#1B2733"), (1.0, "#2E86C8"))
"""The same on a dark page, where the least count is the darkest."""


def colour_of(runtime: str) -> str:
    """The colour of a runtime, the same for either converter."""
    return spec_of(runtime).color


def symbol_of(runtime: str) -> str:
    """The mark of a runtime; open where the converter is not the pipeline's."""
    return spec_of(runtime).symbol + ("-open" if "/" in runtime else "")


def line_of(runtime: str) -> dict[str, Any]:
    """A runtime's line: dotted where the converter is not the pipeline's."""
    return {"color": colour_of(runtime), "dash": "dot" if "/" in runtime else "solid"}


def bar_of(runtime: str) -> dict[str, Any]:
    """A runtime's bar: hatched where the converter is not the pipeline's."""
    return {"color": colour_of(runtime), "pattern": {"shape": "/" if "/" in runtime else ""}}


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


Counts = tuple[tuple[int, ...], ...]
Series = tuple[str, tuple[str, ...] | tuple[int, ...], tuple[float, ...]]
"""Name, places, heights."""

_KEPT = 16
"""Figures of each kind, kept for all sessions, which only read them: Plotly takes 10 to 40 ms to make one, longer than
the rest of a page, and pages are drawn with each slider that somebody moves."""


@lru_cache(_KEPT)
def confusion(counts: Counts, x: str, y: str, *, hide_diagonal: bool = False, dark: bool = False) -> go.Figure:
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
            colorscale=SEQUENTIAL_DARK if dark else SEQUENTIAL,
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate=f"{y}: %{{y}}<br>{x}: %{{x}}<br>%{{text}} images<extra></extra>",
        )
    )
    figure.update_xaxes(dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(dtick=1, autorange="reversed", showgrid=False, zeroline=False)
    return styled(figure, x, y, height=420)


@lru_cache(_KEPT)
def per_digit(counts: Counts) -> go.Figure:
    """The share of each digit that was read right, of a confusion whose rows are what it is."""
    shares = [100 * line[digit] / max(1, sum(line)) for digit, line in enumerate(counts)]
    figure = go.Figure(go.Bar(x=list(range(len(shares))), y=shares, text=[f"{share:.1f}" for share in shares]))
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[max(0, min(shares) // 1 - 5), 100])
    return styled(figure, "digit", "read right, %", height=420)


@lru_cache(_KEPT)
def bars(
    series: tuple[Series, ...], x: str, y: str, *, height: int, mark: Callable[[str], dict[str, Any]] | None = None
) -> go.Figure:
    """Bars side by side at digits or at named places, for each series; `mark` gives how a series' bars look."""
    figure = go.Figure()
    for name, places, heights in series:
        figure.add_bar(x=places, y=heights, name=name, marker=mark(name) if mark else None)
    named = any(isinstance(place, str) for _, places, _ in series for place in places)
    figure.update_xaxes({"type": "category"} if named else {"dtick": 1})
    return styled(figure, x, y, height=height)
