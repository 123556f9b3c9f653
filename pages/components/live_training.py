"""A training while it runs: its figures and curves, its first filters, and its answers to twelve test digits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st

from convnet_core.common.formatting import format_number, list_words
from convnet_core.config.stages import TrainConfig
from convnet_core.errors import ConvNetError
from convnet_core.events import Metrics
from convnet_core.jobs.job_progress import JobProgress, thin
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.training.advice import explain_gap, warn_of_learning_rate
from convnet_core.training.history import parent_curve, read_fork, shifted
from pages.charts import training_curves as curves
from pages.charts.live_curves import show_live_curves
from pages.charts.training_curves import Histories
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.network_preview import show_preview
from pages.components.training_figures import show_live_figures


def show_training(run: Run, progress: JobProgress, others: Histories | None = None) -> None:
    """Show a running training; nothing before its first figures.

    Call it in a fragment that runs at least twice a second, as `job_area.show_job` does with its `draw`. `others` are
    the curves of other runs, to draw below.
    """
    try:
        show_origin(run)
        if progress.metrics:
            history = curves.live_history(run, progress)
            show_live_figures(history)
            config = TrainConfig.from_json(progress.settings)
            show_curves(run, history, config, others or {}, live=True)
        if preview := progress.preview:
            show_preview(preview)
        if progress.metrics:
            show_explanation(history, config)
    except ConvNetError as error:
        jobs.show_error(error)


def show_origin(run: Run) -> None:
    """Say where a forked training started, and what it changes. Raises RunError if its record is damaged."""
    if fork := read_fork(run):
        changes = list_words(fork.changes) or _("no other setting")
        parent = shared.name_in_markdown(fork.parent)
        text = _(
            "Forked from **{parent}** at epoch {epoch}: {changes}.",
            parent=parent,
            epoch=format_number(fork.epoch, 1),
            changes=changes,
        )
        st.caption(" ".join([text, *fork.notes]))


def show_curves(
    run: Run, history: Sequence[Metrics], config: TrainConfig, others: Histories, *, live: bool = False
) -> None:
    """The curves of a training, below a warning if they call for one.

    Raises RunError if the record of a fork is damaged.
    """
    if warning := warn_of_learning_rate(history, config):
        st.warning(warning, icon=":material/trending_up:")
    show = show_live_curves if live else curves.show_curves
    show(_curves_of(run, history, others), config.label_smoothing)


def show_explanation(history: Sequence[Metrics], config: TrainConfig) -> None:
    """Say why one curve lies above the other."""
    if text := explain_gap(history, config):
        st.caption(text)


def _curves_of(run: Run, history: Sequence[Metrics], others: Histories) -> Histories:
    """The curve of a run first, then that of the run that it was forked from, and those of others."""
    earlier = dict(others)
    if (fork := read_fork(run)) and fork.parent not in others:
        earlier = {fork.parent: list(_parent_curve(run.path, fork.parent)), **others}
    own = {_("this run"): thin(shifted(run, history))}
    return own | {shared.shown_name(folder): curve for folder, curve in earlier.items()}


@lru_cache(maxsize=8)
def _parent_curve(run: Path, parent: str) -> tuple[Metrics, ...]:
    """The parent's curve, read once for all sessions: a fork is made once."""
    return tuple(thin(parent_curve(Run(run))))
