"""A training while it runs: its figures and curves, its first filters, and its answers to twelve test digits."""

from __future__ import annotations

from convnet_core.errors import ConvNetError
from convnet_core.jobs.job_progress import JobProgress, thin
from convnet_core.runs.run import Run
from pages.charts import training_curves as curves
from pages.charts.training_curves import Histories
from pages.components import job_area as jobs
from pages.components.network_preview import show_preview
from pages.components.training_figures import show_live_figures


def show_training(run: Run, progress: JobProgress, others: Histories | None = None) -> None:
    """Show a running training; nothing before its first figures.

    Call it in a fragment that runs at least twice a second, as `job_area.show_job` does with its `draw`. `others` are
    the curves of other runs, to draw below.
    """
    if progress.metrics:
        history = thin(curves.live_history(run, progress))
        show_live_figures(history)
        curves.show_curves({run.name: history, **(others or {})}, live=True)
    try:
        if preview := progress.preview:
            show_preview(preview)
    except ConvNetError as error:
        jobs.show_error(error)
