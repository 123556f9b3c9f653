"""The way from page to page: where one is, what the run has of it, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from convnet_core.benchmark.results import STAGE as BENCHMARK
from convnet_core.dissect.report.content import STAGE as DISSECTION
from convnet_core.jobs import watcher
from convnet_core.jobs.overview import stage_views
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from pages.components.names import page_title

_STAGES = {"train": "train", "export": "export", "convert": "convert/native", "compare": "compare"}
"""The pipeline's stages by page."""
_MORE = {"dissect": DISSECTION, "benchmark": BENCHMARK}
"""Stages that a run can do without, by page."""
_WAY = ("data", *_STAGES, *_MORE, "sketchpad")
"""The pages in the order of the story."""
_OF_MODELS = (*tuple(_STAGES)[1:], *_MORE)
"""The pages that are about an imported model, too."""
_MARKS = {
    "missing": ("radio_button_unchecked", N_("not made yet")),
    "waiting": ("radio_button_unchecked", N_("waiting")),
    "running": ("pending", N_("running")),
    "fresh": ("check_circle", N_("up to date")),
    "stale": ("history", N_("out of date")),
    "stopped": ("pause_circle", N_("stopped")),
    "failed": ("error", N_("failed")),
    "refuted": ("cancel", N_("the runtimes disagree")),
}
_OWN_ICONS = {"data": "dataset", "sketchpad": "draw"}
"""The pages that make nothing, and so have no mark."""
_REASONS = {
    "train": N_("See the network learn to read digits like these."),
    "export": N_("See the network as a graph, as PyTorch hands it over."),
    "convert": N_("See what each node of the graph becomes in TensorFlow."),
    "compare": N_("See whether all runtimes give the same answers."),
    "dissect": N_("Look inside: every tensor, in every runtime."),
    "benchmark": N_("See how fast each runtime answers on this machine."),
    "sketchpad": N_("Draw a digit, and every runtime reads it."),
    "runs": N_("See this run beside another: settings, curves, verdicts and sizes."),
}
"""Why to go on to a page."""
_MISSING = {
    "train": N_("This run has no trained network yet."),
    "export": N_("This run has no ONNX file yet."),
    "convert": N_("This run has no TensorFlow model yet."),
    "compare": N_("Nothing says yet whether the runtimes of this run agree."),
}
_WRONG = {
    "stale": N_("What this run has there is out of date."),
    "stopped": N_("It was stopped before its end."),
    "failed": N_("It failed there, and the page says why."),
}
"""Why to go to the page of a stage that is not there, or not as it should be."""


@dataclass(frozen=True)
class Step:
    """What to do next: the address of a page, or None to stay on this one; and why."""

    page: str | None
    why: str


def show(page: str, run: Run | None) -> None:
    """Draw the way in one line, and below it the next step; `page` is the address of this page."""
    states = _states(run) if run else {}
    with st.container(key="trail", gap=None):
        with st.container(horizontal=True, gap="xxsmall", key="trail-pages"):
            for address in _WAY:
                icon, words = _mark(address, run, states)
                st.page_link(f"pages/{address}.py", icon=f":material/{icon}:", help=words)
        step = next_step(page, run, states)
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="trail-next"):
            if step.page:
                label = _("Next: {page}", page=page_title(step.page))
                st.page_link(f"pages/{step.page}.py", label=f"**{label}**", icon=":material/arrow_forward:")
            st.caption(step.why if step.page else _("**Next:** {what}", what=step.why))


def _states(run: Run) -> dict[str, str]:
    """What the run has of each page of its way; of pages without a stage nothing."""
    job = watcher.current(run)
    views = stage_views(run, job)
    states = {page: views[stage].state for page, stage in _STAGES.items() if stage in views}
    states |= {page: run.state(stage).state for page, stage in _MORE.items()}
    if job and job[1].live and job[1].command in _MORE:
        states[job[1].command] = "running"
    return states | ({"compare": "refuted"} if views["compare"].refuted else {})


def _mark(page: str, run: Run | None, states: Mapping[str, str]) -> tuple[str, str | None]:
    """An icon for a page, and what it means."""
    if run and run.is_model and page not in _OF_MODELS:
        return "remove", _("not for an imported model")
    if page in _OWN_ICONS:
        return _OWN_ICONS[page], None
    icon, words = _MARKS[states.get(page, "missing")]
    return icon, _(words)


def next_step(page: str, run: Run | None, states: Mapping[str, str]) -> Step:
    """The one thing to do next on a page, given what the run has of each page."""
    if run is None:
        return _first_step(page)
    if running := next((name for name, state in states.items() if state == "running"), None):
        if page in (running, "home"):
            return Step(None, _("watch it here; the way above shows when it is done."))
        return Step(running, _("It is running: watch it there."))
    late = next((name for name in _STAGES if states.get(name) in ("missing", *_WRONG)), None)
    if late and (page not in _WAY or _WAY.index(late) <= _WAY.index(page)):
        if late == page:
            return Step(None, _("finish this page, because the pages after it need what it makes."))
        return Step(late, _(_WRONG.get(states[late]) or _MISSING[late]))
    if page in ("home", "compare") and states["compare"] == "refuted":
        return Step("dissect", _("Find the node where the runtimes part."))
    return _following(page, run)


def _first_step(page: str) -> Step:
    """What to do without any run."""
    if page == "data":
        return Step("train", _(_REASONS["train"]))
    if page == "train":
        return Step(None, _("choose the settings and press Train."))
    if page == "home":
        return Step(None, _("run the pipeline: every page then shows what it made."))
    return Step("home", _("One button there makes a first run, and every page shows what it made."))


def _following(page: str, run: Run) -> Step:
    """The page after this one in the story."""
    way = _OF_MODELS if run.is_model else _WAY
    if page == "home":
        own = Step("train", _("Train a network of your own, with other settings."))
        return Step("benchmark", _(_REASONS["benchmark"])) if run.is_model else own
    if page in way:
        after = (*way, "runs")[way.index(page) + 1]
        return Step(after, _(_REASONS[after]))
    return Step("export" if run.is_model else "train", _("Follow this run from its first page to the last."))
