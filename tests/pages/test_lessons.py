"""Lessons with AppTest: the gallery, each lesson by its address, the guess, and that the run's dissection is apart."""

import json
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.lesson_stories import STORIES
from convnet_core.dissect.lessons import LESSONS
from convnet_core.events import Monitor
from convnet_core.jobs import watcher
from convnet_core.stages.dissect import run_dissect
from tests.conftest import ROOT, copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.support.marks import few_quick


@pytest.fixture(scope="module")
def run_with_lessons(finished_run, tmp_path_factory):
    run = copy_of(finished_run, tmp_path_factory.mktemp("lessons"))
    for lesson in ("none", "flatten-order"):
        run_dissect(run, DissectConfig(lesson=lesson, worst="no", images=100, batch_sizes=(1, 7)), Monitor())
    return run


@pytest.fixture
def run(root, run_with_lessons):
    return copy_of(run_with_lessons, root)


def open_lesson(lesson, **address):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/dissect.py")
    app.query_params.update({"lesson": lesson, **address})
    app.run()
    assert not app.exception
    return app


def pretend(run, lesson):
    """A made lesson, without its fault: the files of another one."""
    shutil.copytree(run.path / "lessons/flatten-order", run.path / "lessons" / lesson)
    for name in ("dissection.json", "stage.json"):
        path = run.path / "lessons" / lesson / name
        path.write_text(path.read_text().replace('"flatten-order",', f'"{lesson}",'))
    record = json.loads((run.path / "lessons" / lesson / "stage.json").read_text())
    (run.path / "lessons" / lesson / "stage.json").write_text(json.dumps({**record, "outputs": {}}))


def test_every_fault_has_a_story_with_one_true_cause():
    assert set(STORIES) == set(LESSONS)
    for story in STORIES.values():
        assert len(story.causes) == len({cause.text for cause in story.causes}) == 4
        assert 0 <= story.right < 4
        assert story.fix.before != story.fix.after


def test_the_gallery_has_a_card_for_each_lesson_that_opens_at_its_address(run):
    app = open_lesson("all")
    cards = [item for item in app.button if item.label.startswith("Open lesson")]
    assert [card.label for card in cards] == [f"Open lesson {number}" for number in range(1, 9)]
    assert all(story.symptom in text_of(app) for story in STORIES.values())
    assert not any(story.fault in text_of(app) for story in STORIES.values()), "a card must not tell the cause"
    cards[3].click().run()
    name = list(STORIES)[3]
    assert app.query_params["lesson"] == name
    assert STORIES[name].symptom in text_of(app)


def test_the_switch_leads_from_the_run_to_the_lessons_and_back(run):
    app = open_page("dissect")
    assert "nothing wrong" in text_of(app)
    (switch,) = [item for item in app.button_group if item.key == "dissect-view"]
    switch.set_value("all").run()
    assert app.query_params["lesson"] == "all"
    assert "nothing wrong" not in text_of(app)
    next(item for item in app.button_group if item.key == "dissect-view").set_value("none").run()
    assert "nothing wrong" in text_of(app)
    assert "lesson" not in app.query_params


@pytest.mark.parametrize("lesson", few_quick(STORIES, "flatten-order", "opset"))
def test_an_address_opens_its_lesson(run, lesson, monkeypatch):
    started = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: started.append((run.name, arguments)))
    shutil.rmtree(run.path / "lessons")
    app = open_lesson(lesson)
    assert STORIES[lesson].symptom in text_of(app)
    assert not app.radio, "first the figures, then the guess"
    button(app, "Show it on this network").click().run()
    assert started == [(run.name, ["dissect", "--lesson", lesson])]


def test_a_wrong_guess_is_explained_and_hides_the_finding(run):
    app = open_lesson("flatten-order")
    assert "Digits read" in text_of(app)
    app.radio[0].set_value(1).run()
    assert STORIES["flatten-order"].causes[1].reply in app.warning[0].value
    assert "The finding" not in text_of(app)
    assert app.query_params["answers"] == "00020000"
    assert app.radio[0].value == 1


def test_a_right_guess_shows_the_finding_the_fix_and_the_next_lesson(run):
    app = open_lesson("flatten-order")
    app.radio[0].set_value(STORIES["flatten-order"].right).run()
    assert "**Right**" in app.success[0].value
    assert "flattened channels last" in app.error[0].value
    places = [item.proto.body for item in app.get("html") if 'data-testid="place"' in item.proto.body]
    assert places[0].count("aria-current") == 1
    assert [item.value for item in app.code] == [
        STORIES["flatten-order"].fix.before,
        STORIES["flatten-order"].fix.after,
    ]
    assert "The run itself is unchanged" in text_of(app)
    button(app, "Next lesson").click().run()
    assert app.query_params["lesson"] == "transposed"
    assert STORIES["transposed"].symptom in text_of(app)


def test_a_skipped_guess_tells_the_cause(run):
    app = open_lesson("flatten-order")
    button(app, "Skip the guess").click().run()
    assert STORIES["flatten-order"].causes[0].text in app.info[0].value
    assert "The fix" in text_of(app)


def test_answers_in_the_address_survive_a_reload(run):
    app = open_lesson("flatten-order", answers="00010000")
    assert "The fix" in text_of(app)
    app = open_lesson("all", answers="00010000")
    assert "check_circle:] **Lesson 4**" in text_of(app)
    assert text_of(app).count("check_circle:] **Lesson") == 1
    app = open_lesson("flatten-order", answers="999x²!")
    assert app.radio[0].value is None


def test_all_that_a_lesson_measured_is_labeled(run):
    app = open_lesson("flatten-order", answers="000s")
    assert not app.dataframe, "only read when it is opened"
    app.session_state["all of lessons/flatten-order"] = True
    app.run()
    assert not app.exception
    (nodes,) = [table.value for table in app.dataframe if "noise" in table.value]
    assert nodes["tensorflow"].max() > 0.1
    assert "Lesson: flattened channels last" in text_of(app)
    assert [tab.label for tab in app.tabs][-1] == "Downloads"
    app = open_lesson("flatten-order", answers="000s", hide="downloads")
    app.session_state["all of lessons/flatten-order"] = True
    assert [tab.label for tab in app.run().tabs][-1] == "Answers"


@pytest.mark.parametrize("lesson", few_quick(STORIES, "train-mode"))
def test_every_story_can_be_read_to_the_end(run, lesson):
    if lesson != "flatten-order":
        pretend(run, lesson)
    app = open_lesson(lesson, answers="s" * 8)
    assert "The fix" in text_of(app)


def test_a_lesson_in_work_leaves_the_dissection_of_the_run_in_sight(run):
    with running_job(run, "dissect", "StageStarted(stage='lessons/epsilon')"):
        assert "nothing wrong" in text_of(open_page("dissect"))
        app = open_lesson("epsilon")
        assert button(app, "Stop")
        assert not app.radio


def test_a_damaged_lesson_can_be_made_again(run):
    (run.path / "lessons/flatten-order/dissection.json").write_text("{")
    assert button(open_lesson("flatten-order"), "Show it on this network")
