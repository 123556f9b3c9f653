"""The settings of the Train page with AppTest: what they start at, what a training costs, and how it is started."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from convnet_core.common.files import write_json
from convnet_core.config.stages import PRESETS, DataConfig
from convnet_core.data.sources import absolute
from convnet_core.jobs.watcher import list_jobs
from convnet_core.runs.run import Run
from testing.trials import examples
from tests.conftest import ROOT, copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.pages.test_home import METRICS

SAMPLE = PRESETS["sample"].replace(data=absolute(DataConfig()))


def widget(app, key):
    kinds = (app.slider, app.select_slider, app.selectbox, app.number_input)
    return next(item for kind in kinds for item in kind if item.key == key)


def preset(app):
    """The preset with the check mark, or None."""
    return next((item.key.removeprefix("preset-") for item in app.button if item.icon == ":material/check:"), None)


def test_without_a_run_it_shows_the_cost_of_training(root):
    app = open_page("train")
    assert "No network has been trained yet" in text_of(app)
    assert "125,642 weights, 1,100 steps, about " in text_of(app)
    assert preset(app) == "fast"


def test_the_time_is_shown_once_the_machine_has_been_measured(root, monkeypatch):
    factors = [None]
    for module in ("jobs.calibrator", "training.speed"):
        monkeypatch.setattr(f"convnet_core.{module}.known_factor", lambda _: factors[0])
    monkeypatch.setattr("convnet_core.jobs.calibrator.Calibrator._start", lambda *_: Running())
    app = open_page("train")
    assert "1,100 steps, measuring this machine …" in text_of(app)
    factors[0] = 2.0
    assert re.search(r"1,100 steps, about \d+ s", text_of(app.run()))


class Running:
    """A process that does not end."""

    def poll(self):
        return None


def test_the_presets_fill_the_sliders(root):
    app = open_page("train")
    for name in ("accurate", "reference"):
        next(item for item in app.button if item.key == f"preset-{name}").click().run()
        assert not app.exception
        assert preset(app) == name
        expected = PRESETS[name]
        assert widget(app, "epochs").value == expected.epochs
        assert widget(app, "channels").value == expected.model.channels
        assert widget(app, "augment-rotation").value == expected.augment.rotation
        assert widget(app, "learning-rate").value == expected.learning_rate
    widget(app, "epochs").set_value(3).run()
    assert preset(app) is None


def test_the_matching_command_line_is_shown(root):
    app = open_page("train")
    widget(app, "kernel").set_value(5).run()
    assert "train --preset reference --kernel 5" in app.code[0].value


def test_contradicting_settings_are_explained(root):
    app = open_page("train")
    widget(app, "train-size").set_value(2000).run()
    assert "do not fit into 2000 training images" in text_of(app)
    assert not [item for item in app.button if item.label == "Train"]


def test_train_starts_a_job_with_the_chosen_settings(root, started):
    app = open_page("train")
    widget(app, "epochs").set_value(2)
    button(app, "Train").click().run()
    assert not app.exception
    ((run, arguments),) = started
    assert run.path.parent == root
    assert arguments[:5] == ["train", "--preset", "reference", "--epochs", "2"]


@pytest.fixture
def started(monkeypatch):
    """The jobs that the page starts, instead of starting them."""
    jobs = []
    monkeypatch.setattr("convnet_core.jobs.watcher.start", lambda run, arguments: jobs.append((run, arguments)))
    return jobs


def stopped_run(path, config=SAMPLE):
    """A run with a training of these settings, which was stopped."""
    run = Run.open(path) if path.exists() else Run.create(path)
    with run.lock(), run.write_stage("checkpoint", config.to_json()) as draft:
        write_json(draft.path / "history.json", examples.HISTORY)
    return run


def open_with(**query):
    """The page at an address with these parameters."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).switch_page("pages/train.py")
    for name, value in query.items():
        app.query_params[name.replace("_", "-")] = value
    return app.run()


def changes(app):
    """What the button to fork the shown run says it changes."""
    return button(app, "Try this change").help.partition("changes: ")[2].split(", ")


def test_a_change_is_tried_by_forking_the_shown_run(root, trained_run, started):
    parent = copy_of(trained_run, root)
    app = open_page("train")
    assert button(app, "Try this change").disabled
    widget(app, "learning-rate").set_value(0.01).run()
    assert changes(app) == ["learning rate 0.006 → 0.01"]
    app = button(app, "Try this change").click().run()
    assert not app.exception
    ((run, arguments),) = started
    assert run.path != parent.path
    assert arguments[:3] == ["train", "--fork", str(parent.path)]
    assert arguments[arguments.index("--learning-rate") + 1] == "0.01"
    assert app.session_state["over"] == [parent.name], "the curves lie over each other"


def test_the_settings_start_at_those_of_the_shown_run_whatever_they_are(root):
    data = DataConfig(source=str(root), test_size=300, train_size=7000)
    stopped_run(root / "run", SAMPLE.replace(data=data, epochs=30, learning_rate=0.004, batch_size=64))
    app = open_page("train")
    assert button(app, "Try this change").disabled
    widget(app, "epochs").set_value(29).run()
    assert changes(app) == ["epochs 30 → 29"]
    next(item for item in app.button if item.key == "preset-fast").click().run()
    assert preset(app) == "fast"


def test_another_run_brings_its_settings(root):
    stopped_run(root / "one")
    stopped_run(root / "two", SAMPLE.replace(epochs=7, learning_rate=0.001))
    app = open_with(run="one")
    widget(app, "learning-rate").set_value(0.05).run()
    app.selectbox(key="run").set_value("two").run()
    assert not app.exception
    assert (widget(app, "epochs").value, widget(app, "learning-rate").value) == (7, 0.001)
    assert button(app, "Try this change").disabled


def test_settings_in_the_address_win_over_those_of_the_run(root):
    stopped_run(root / "run")
    app = open_with(epochs="7", learning_rate="0.006")
    assert changes(app) == ["epochs 1 → 7", "learning rate 0.01 → 0.006"]


def test_a_training_that_begins_meanwhile_leaves_what_the_user_has_set(root):
    Run.create(root / "run")
    app = open_page("train")
    widget(app, "learning-rate").set_value(0.05).run()
    stopped_run(root / "run")
    app.run()
    assert changes(app) == ["learning rate 0.01 → 0.05"]


def test_another_network_is_said_to_start_from_scratch(root):
    stopped_run(root / "run")
    app = open_page("train")
    assert "from scratch" not in text_of(app)
    widget(app, "channels").set_value(8).run()
    assert "Another network cannot take over the weights" in text_of(app)


def test_the_run_picked_for_comparison_stays(root, started):
    for name in ("one", "two"):
        stopped_run(root / name)
    app = open_with(run="one")
    app.multiselect(key="over").set_value(["two"]).run()
    widget(app, "epochs").set_value(3).run()
    app = button(app, "Try this change").click().run()
    assert not app.exception
    assert app.session_state["over"] == ["two", "one"]
    app.selectbox(key="run").set_value("one").run()
    assert not app.exception


def test_without_a_training_there_is_nothing_to_try(root):
    run = Run.create(root / "run")
    assert "no training to go on from" in button(open_page("train"), "Try this change").help
    with running_job(run, "pipeline", "StageStarted(stage='train')", METRICS):
        fork = button(open_page("train"), "Try this change")
        assert fork.disabled
        assert "Wait until this run has a trained network" in fork.help


def test_a_change_to_a_running_training_stops_it_and_goes_on_from_there(root, started):
    parent = Run.create(root / "running")
    settings = f"Settings(config={SAMPLE.to_json()!r})"
    with running_job(parent, "train", "StageStarted(stage='train')", settings):
        assert "only begun" in button(open_page("train"), "Try this change").help
    with running_job(parent, "train", "StageStarted(stage='train')", settings, METRICS):
        app = open_with(epochs="7")
        assert not button(app, "Try this change").disabled
        button(app, "Try this change").click().run()
        ((_, arguments),) = started
        assert arguments[:3] == ["train", "--fork", str(parent.path)]
        assert list_jobs(parent)[0].stop_requested
