"""The errors of a comparison against what is tolerated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, log10

import numpy as np
import plotly.graph_objects as go

from convnet_core.common.formatting import format_share
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, tolerances
from convnet_core.compare.report import per_sample
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
        text = f"{beyond:,} of {len(allowed):,} beyond" if beyond else "all within tolerance"
    else:
        text = f"{format_share(item.agreement)} of labels equal"
    return _Row(name, counts, equal, limits, text if line.judged else "not judged", line.passed)


@lru_cache(16)
def _draw(rows: tuple[_Row, ...]) -> go.Figure:
    low, high = _range(rows)
    zero = low - 1 if any(row.equal for row in rows) else None
    figure = go.Figure()
    for place, row in enumerate(reversed(rows)):
        highest = max([row.equal, *(count for _, count in row.counts)], default=1) or 1
        bars = [] if zero is None or not row.equal else [(zero, row.equal, "no error")]
        bars += [((bin_ + 0.5) / _BINS, count, _between(bin_)) for bin_, count in row.counts]
        figure.add_bar(
            x=[x for x, _, _ in bars],
            y=[0.85 * count / highest for _, count, _ in bars],
            base=place,
            width=0.9 / _BINS,
            name=row.name,
            marker={**charts.bar_of(row.name), "line": {"width": 0}},
            hovertext=[f"{row.name}: {count:,} samples, {text}" for _, count, text in bars],
            hoverinfo="text",
        )
        figure.add_annotation(
            x=1.01,
            xref="paper",
            xanchor="left",
            y=place + 0.4,
            text=row.text if row.passed else f"✗ {row.text}",
            showarrow=False,
            font={"size": 12, **({} if row.passed else {"color": _BEYOND})},
        )
        if row.limits:
            first, last = (log10(max(limit, 10.0**_LEAST)) for limit in row.limits)
            box = {"y0": place - 0.06, "y1": place + 0.94, "layer": "below"}
            zone = {"type": "rect", "fillcolor": _BEYOND, "line": {"width": 0}, **box}
            figure.add_shape(x0=first, x1=high, opacity=0.15, **zone)
            figure.add_shape(x0=last, x1=high, opacity=0.2, **zone)
            figure.add_shape(
                type="line", x0=first, x1=first, line={"color": _BEYOND, "width": 2, "dash": "dash"}, **box
            )
    powers = range(ceil(low), floor(high) + 1)
    figure.update_xaxes(
        range=[low - 0.5 if zero is None else zero - 0.5, high],
        tickvals=[*([] if zero is None else [zero]), *powers],
        ticktext=[*([] if zero is None else ["0"]), *(f"10<sup>{power}</sup>" for power in powers)],
        zeroline=False,
    )
    names = [row.name for row in reversed(rows)]
    figure.update_yaxes(
        tickvals=[place + 0.4 for place in range(len(rows))], ticktext=names, showgrid=False, zeroline=False
    )
    charts.style_figure(
        figure, "largest |error| of a sample (log scale)", "", height=90 + 42 * len(rows), barmode="overlay"
    )
    return figure.update_layout(showlegend=False, margin={"l": 10, "r": 170, "t": 10, "b": 10})


def _range(rows: tuple[_Row, ...]) -> tuple[float, float]:
    """log10 of the smallest and the largest value to show, with a margin."""
    places = [bin_ / _BINS for row in rows for bin_, _ in row.counts]
    places += [log10(max(limit, 10.0**_LEAST)) for row in rows if row.limits for limit in row.limits]
    return floor(min(places, default=-7.0)), ceil(max(places, default=0.0) + 0.5)


def _between(bin_: int) -> str:
    return f"error from {10 ** (bin_ / _BINS):.1e} to {10 ** ((bin_ + 1) / _BINS):.1e}"
