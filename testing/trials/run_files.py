"""Read a file of a run as the product does, and use its content. Each function takes the file's path in its run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from convnet_core.artifacts import artifact
from convnet_core.benchmark import results
from convnet_core.compare import report_file
from convnet_core.compare.verdict import sentence
from convnet_core.dissect.report import content as dissection
from convnet_core.dissect.report import documents
from convnet_core.graphs import graph_file
from convnet_core.graphs.boxes import diagram_of
from convnet_core.jobs import watcher
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.jobs.watcher import JobView, list_jobs
from convnet_core.runs.run import Run
from convnet_core.training import checkpoint, history
from pages.components.graph_view.drawing import Drawing


def open_run(folder: Path) -> Run:
    """The run. Its records get new times, since a changed one may have the size and the time of the one before."""
    for record in folder.rglob("stage.json"):
        os.utime(record, ns=(time.time_ns(),) * 2)
    return Run.open(folder)


def read_run(path: Path) -> object:
    run = open_run(path.parent)
    return run.info, run.is_model, run.stages


def read_stage(path: Path) -> object:
    run = open_run(path.parent.parent)
    states = run.state("export"), run.stages, run.stale_stages("compare")
    return (
        run.record("export"),
        run.require("export"),
        states,
        artifact.artifacts(run),
        artifact.find(run, "model.onnx"),
    )


def read_checkpoint(path: Path) -> object:
    run = open_run(path.parent.parent)
    return checkpoint.saved_config(run), history.read_history(run)


def read_job(path: Path) -> object:
    view = JobView(path.parent)
    run = Run(path.parent.parent.parent)
    return view.info.live, [item.info for item in list_jobs(run)], watcher.current(run), watcher.newest(run, "train")


def read_events(path: Path) -> object:
    view = JobView(path.parent)
    progress = JobProgress(view)
    progress.update()
    return view.events(), progress.current_stage, [float(item.loss) for item in progress.metrics]


def read_comparison(path: Path) -> object:
    return sentence(report_file.load(open_run(path.parent.parent)))


def read_graph_file(path: Path) -> object:
    graph = graph_file.read(path)
    edges = [edge for tensor in graph.tensors.values() if tensor.statistics for edge in tensor.statistics.edges]
    return Drawing(diagram_of(graph)).view(frozenset()), graph.to_json(), edges


def read_benchmark(path: Path) -> object:
    benchmark = results.load(open_run(path.parent.parent))
    return results.headline(benchmark), results.rows(benchmark), results.where_and_how(benchmark)


def read_dissection(path: Path) -> object:
    report = documents.load(open_run(path.parent.parent))
    return documents.to_html(report), documents.to_markdown(report), dissection.summary(report)
