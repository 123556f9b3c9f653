"""Widgets for the settings of a dissection, and how long it takes."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_duration
from convnet_core.config.fields import describe
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect import cost
from convnet_core.graphs import graph_file
from convnet_core.graphs.cost import multiply_adds
from convnet_core.language import _
from convnet_core.runs.run import Run
from pages.components import graph_explorer as graph


def settings(run: Run) -> DissectConfig:
    """Widgets for the settings of a dissection. Raises ModelError or RunError."""
    fields = {field.path[0]: field for field in describe(DissectConfig)}
    left, right = st.columns(2)
    converter = left.selectbox(
        _("Converter"),
        fields["converter"].choices,
        key="dissect-converter",
        bind="query-params",
        help=_(
            "Dissects this converter's conversion, converting first if needed. If the converter does not support the "
            "model, the dissection shows at which node, and which converter does"
        ),
    )
    samples = right.select_slider(
        _("Samples"),
        (1, 2, 4, 8, 16, 32, 64),
        8,
        key="dissect-samples",
        bind="query-params",
        help=_("Compares every tensor on these samples; more samples find rarer errors and take longer"),
    )
    default, size = DissectConfig(), size_of(run)
    is_small = cost.decide(default, size).worst == "yes"
    worst = st.toggle(
        _(
            "Search for the worst inputs, about {duration}",
            duration=format_duration(cost.search_seconds(default, size)),
        ),
        is_small,
        key=f"dissect-worst of {run.name}",
        help=_(
            "Searches for the input on which each runtime differs most. On by default for a small network; for a "
            "large one it takes as long as all the rest"
        ),
    )
    chosen = default.worst if worst == is_small else "yes" if worst else "no"
    return default.replace(converter=converter or "native", samples=samples, worst=chosen)


def how_long(run: Run, config: DissectConfig) -> str:
    """The time that a dissection takes, in a sentence. Raises ModelError or RunError."""
    size = size_of(run)
    seconds, more = cost.seconds(config, size), cost.search_seconds(config, size)
    if cost.decide(config, size).worst == "yes":
        return _("It takes about {duration}.", duration=format_duration(seconds + more))
    return _(
        "It takes about {duration} without the search for the worst inputs, which would take about {more} more. The "
        "settings turn it on.",
        duration=format_duration(seconds),
        more=format_duration(more),
    )


def size_of(run: Run) -> int:
    """The multiply-adds of the run's network for one sample. Raises ModelError or RunError."""
    path = graph_file.path_in(run)
    return multiply_adds(graph.read(path, digest(path)))
