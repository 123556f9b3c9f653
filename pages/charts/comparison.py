"""The errors of a comparison against what is tolerated."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from convnet_core.common.formatting import format_number, format_share
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, tolerances
from convnet_core.compare.report import per_sample
from convnet_core.language import _, cache_by_language, plural
from pages.charts import style as charts

_BINS = 4
"""Bins in a power of ten."""
_LEAST, _MOST = -9, 9
"""log10 of the smallest and the largest error that is told apart."""
_BEYOND = "#D55E00"


@dataclass(frozen=True)
class _Row:
    """A runtime: samples by bin of log10 |error|, samples without an error, the smallest and the largest tolerance of
    a sample (None if it is judged by its labels), and the verdict in words.
    """

    name: str
    counts: tuple[tuple[int, int], ...]
    equal: int
    limits: tuple[float, float] | None
    text: str
    passed: bool


def errors(comparison: Comparison) -> go.Figure:
    """A row for each runtime: how many samples have which error, and where the tolerance is."""
    items = [item for item in per_sample(comparison) if item.key.runtime != comparison.reference]
    return _draw(tuple(_row(item, comparison) for item in items))


def _row(item: Measurement, comparison: Comparison) -> _Row:
    name, found = item.key.runtime, item.max_abs[item.max_abs > 0]
    places = np.clip(np.floor(_BINS * np.log10(found)), _BINS * _LEAST, _BINS * _MOST).astype(int)
    bins, numbers = np.unique(places, return_counts=True)
    counts = tuple(zip(bins.tolist(), numbers.tolist(), strict=True))
    line = next(line for line in comparison.runtimes if line.name == name)
    equal, limits = int((item.max_abs == 0).sum()), None
    if (allowed := tolerances(item, comparison.config)) is not None:
        limits = (float(allowed.min(initial=1.0)), float(allowed.max(initial=0.0)))
        beyond = int((~(item.max_abs <= allowed)).sum())
        text = _("all within tolerance") if line.passed else _("fails on other inputs")
        if beyond:
            text = _("{count} of {all} beyond", count=format_number(beyond), all=format_number(len(allowed)))
    else:
        text = _("{share} of labels equal", share=format_share(item.agreement))
    return _Row(name, counts, equal, limits, text if line.judged else _("not judged"), line.passed)


@cache_by_language(16)
def _draw(rows: tuple[_Row, ...]) -> go.Figure:
    low, high = _range(rows)
    zero = low - 1 if any(row.equal for row in rows) else None
    upward = rows[::-1]
    powers = range(ceil(low), floor(high) + 1)
    figure = go.Figure(
        [_bars(row, place, zero) for place, row in enumerate(upward)],
        {  # all at once: Plotly 7.1 takes 10 ms for each shape that is added to a figure
            "shapes": [shape for place, row in enumerate(upward) for shape in _zones(row, place, high)],
            "annotations": [_note(row, place) for place, row in enumerate(upward)],
            "barmode": "overlay",
            "showlegend": False,
            "xaxis": {
                "range": [(low if zero is None else zero) - 0.5, high],
                "tickvals": [*([] if zero is None else [zero]), *powers],
                "ticktext": [*([] if zero is None else ["0"]), *(f"10<sup>{power}</sup>" for power in powers)],
                "zeroline": False,
            },
            "yaxis": {"range": [-0.1, len(rows)], "showticklabels": False, "showgrid": False, "zeroline": False},
        },
    )
    charts.style_figure(figure, _("largest |error| of a sample (log scale)"), "", height=90 + 52 * len(rows))
    return figure.update_layout(margin_t=10)


def _bars(row: _Row, place: int, zero: float | None) -> go.Bar:
    """The histogram of a row, which starts at `place`; samples without an error stand at `zero`."""
    highest = max([row.equal, *(count for _, count in row.counts)], default=1) or 1
    bars = [(zero, row.equal, _("no error"))] if row.equal else []
    bars += [((bin_ + 0.5) / _BINS, count, _between(bin_)) for bin_, count in row.counts]
    return go.Bar(
        x=[x for x, *_rest in bars],
        y=[0.6 * count / highest for _, count, _ in bars],
        base=place,
        width=0.9 / _BINS,
        name=row.name,
        marker={**charts.bar_of(row.name), "line": {"width": 0}},
        hovertext=[
            plural(
                "{runtime}: {count} sample, {error}",
                "{runtime}: {count} samples, {error}",
                count,
                runtime=row.name,
                error=text,
            )
            for _x, count, text in bars
        ],
        hoverinfo="text",
    )


def _note(row: _Row, place: int) -> dict[str, Any]:
    """The runtime and its verdict, above its bars: beside them they would leave no room on a phone."""
    color = {} if row.passed else {"color": _BEYOND}
    text = _("{runtime}: {verdict}", runtime=f"<b>{row.name}</b>", verdict=row.text if row.passed else f"✗ {row.text}")
    position = {"x": 0, "xref": "paper", "xanchor": "left", "y": place + 0.77}
    return {**position, "text": text, "showarrow": False, "font": {"size": 12, **color}}


def _zones(row: _Row, place: int, high: float) -> list[dict[str, Any]]:
    """Where an error fails: for some samples from the dashed line on, for all of them in the darker zone."""
    if row.limits is None:
        return []
    first, last = (log10(max(limit, 10.0**_LEAST)) for limit in row.limits)
    box = {"y0": place - 0.06, "y1": place + 0.64, "layer": "below"}
    zone = {"type": "rect", "x1": high, "fillcolor": _BEYOND, "line": {"width": 0}, **box}
    line = {"color": _BEYOND, "width": 2, "dash": "dash"}
    return [
        {**zone, "x0": first, "opacity": 0.15},
        {**zone, "x0": last, "opacity": 0.2},
        {"type": "line", "x0": first, "x1": first, "line": line, **box},
    ]


def _range(rows: tuple[_Row, ...]) -> tuple[float, float]:
    """log10 of the smallest and the largest value to show, with a margin."""
    places = [bin_ / _BINS for row in rows for bin_, _ in row.counts]
    places += [log10(max(limit, 10.0**_LEAST)) for row in rows if row.limits for limit in row.limits]
    return floor(min(places, default=-7.0)), ceil(max(places, default=0.0) + 0.5)


def _between(bin_: int) -> str:
    return _("error from {low:.1e} to {high:.1e}", low=10 ** (bin_ / _BINS), high=10 ** ((bin_ + 1) / _BINS))
