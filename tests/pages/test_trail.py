"""The way from page to page: one next step on every page, and what the run has of each."""

import pytest

from convnet_core.jobs import watcher
from convnet_core.jobs.overview import stage_views
from convnet_core.runs.run import Run
from pages.components import trail
from testing.browser import PAGES
from tests.conftest import copy_of
from tests.pages.conftest import open_page, running_job


@pytest.fixture(autouse=True)
def no_runtimes(monkeypatch):
    """Keep the pad's runtimes closed."""
    monkeypatch.setattr("pages.components.live_pad.pad.show", lambda *_, **__: None)


def next_step(app):
    """The address of the next step's link, or None if there is only its sentence, and the sentence."""
    (trail,) = [block for block in app.main.children.values() if "trail" in getattr(block.proto, "id", "")]
    links = [item.proto for item in trail.get("page_link") if item.proto.label.startswith("**Next")]
    (sentence,) = [item.value for item in trail.caption]
    assert sentence.startswith("**Next:** ") == (not links)
    return (links[0].page or "home" if links else None), sentence


def marks(app):
    """What stands at each page of the way."""
    links = [item.proto for item in app.get("page_link") if not item.proto.label.startswith("**")][:8]
    return {link.page: (link.icon.split("/")[1].strip(":"), link.help) for link in links}


WAY = {
    "home": "train",
    "runs": "train",
    "data": "train",
    "train": "export",
    "export": "convert",
    "convert": "compare",
    "compare": "dissect",
    "dissect": "benchmark",
    "benchmark": "sketchpad",
    "sketchpad": "runs",
}


@pytest.mark.parametrize("page", PAGES)
def test_a_finished_run_leads_from_page_to_page(root, finished_run, page):
    copy_of(finished_run, root)
    app = open_page(page)
    assert next_step(app)[0] == WAY[page]
    assert list(marks(app)) == list(PAGES[2:])
    assert marks(app)["compare"] == ("check_circle", "up to date")
    assert marks(app)["benchmark"] == ("radio_button_unchecked", "not made yet")


@pytest.mark.parametrize("page", PAGES)
def test_without_a_run_the_next_step_is_to_make_one(root, page):
    app = open_page(page)
    assert next_step(app)[0] == {"home": None, "train": None, "data": "train"}.get(page, "home")
    assert {icon for icon, _ in marks(app).values()} == {"radio_button_unchecked", "dataset", "draw"}


DONE = dict.fromkeys(("train", "export", "convert", "compare"), "fresh")


@pytest.mark.parametrize(
    ("page", "changes", "step", "words"),
    [
        ("export", {"train": "stale"}, "train", "out of date"),
        ("train", {"train": "stale"}, None, "finish this page"),
        ("data", {"train": "stale"}, "train", "learn"),
        ("compare", {"convert": "missing", "compare": "missing"}, "convert", "no TensorFlow model"),
        ("export", {"convert": "missing", "compare": "missing"}, "convert", "becomes in TensorFlow"),
        ("benchmark", {"compare": "failed"}, "compare", "failed"),
        ("home", {"train": "stopped"}, "train", "stopped"),
        ("compare", {"compare": "refuted"}, "dissect", "part"),
        ("home", {"compare": "refuted"}, "dissect", "part"),
        ("benchmark", {"compare": "refuted"}, "sketchpad", "Draw"),
        ("export", {"dissect": "running"}, "dissect", "watch it there"),
        ("dissect", {"dissect": "running"}, None, "watch it here"),
        ("home", {"train": "running"}, None, "watch it here"),
    ],
)
def test_the_next_step_follows_from_what_the_run_has(root, page, changes, step, words):
    found = trail.next_step(page, Run.create(root / "run"), {**DONE, **changes})
    assert found.page == step
    assert words in found.why


@pytest.mark.parametrize(
    ("page", "step"),
    [("home", "benchmark"), ("export", "convert"), ("train", "export"), ("benchmark", "runs"), ("runs", "export")],
)
def test_an_imported_model_has_no_digits_on_its_way(root, page, step):
    states = {name: "fresh" for name in DONE if name != "train"}
    assert trail.next_step(page, Run.create(root / "run", kind="model"), states).page == step


def test_an_imported_model_says_what_is_not_for_it(root):
    Run.create(root / "run", kind="model")
    app = open_page("data")
    assert [page for page, (_, words) in marks(app).items() if words == "not for an imported model"] == [
        "data",
        "train",
        "sketchpad",
    ]


def test_a_running_job_is_marked_and_is_the_next_step(root):
    run = Run.create(root / "run")
    with running_job(run, "pipeline", "StageStarted(stage='train')"):
        app = open_page("data")
        assert next_step(app)[0] == "train"
        assert marks(app)["train"] == ("pending", "running")
        assert marks(app)["compare"] == ("radio_button_unchecked", "waiting")


def test_an_import_runs_from_its_first_moment(root):
    run = Run.create(root / "run")
    with running_job(run, "upload"):
        views = stage_views(run, watcher.current(run))
    assert views["export"].state == "running"
    assert views["compare"].state == "waiting"
