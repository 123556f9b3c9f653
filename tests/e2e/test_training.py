"""Training in the browser: sliders, live curves, stop, resume, reload, two visitors."""

import os
import re
import shutil
import signal
import time

import pytest

from convnet_core.jobs.watcher import current
from convnet_core.runs.run import Run
from testing.browser import menu_link, settle, stop_button

pytestmark = pytest.mark.slow


def start(page, server, query="epochs=20"):
    """Start a training of several minutes and wait for its first figures."""
    page.goto(f"{server.address}/train?{query}")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("Time left").first.wait_for(timeout=60_000)


def run_name(page):
    return re.search(r"run=([^&]+)", page.url)[1]


def test_sliders_then_train_stop_and_resume(server, page):
    page.goto(f"{server.address}/train")
    slider = page.get_by_role("slider", name="Epochs")
    thumb, track = slider.bounding_box(), slider.locator("xpath=ancestor::*[@data-testid='stSlider']").bounding_box()
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"], thumb["y"] + thumb["height"] / 2, steps=10)
    page.mouse.up()
    page.get_by_text("22,000").wait_for()  # 20 epochs of 1,100 steps: the server has the new value
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("Time left").first.wait_for(timeout=60_000)
    stop_button(page).click()
    page.get_by_text(re.compile("Stopping|stopped in epoch")).first.wait_for(timeout=3_000)
    page.get_by_text("stopped in epoch").wait_for()
    first = Run.open(server.runs / run_name(page)).record("checkpoint").result
    stopped_at = (first["epoch"], first["batch"])
    page.get_by_role("button", name="Resume the training").click()
    stop_button(page).wait_for()
    page.get_by_text("Time left").first.wait_for(timeout=60_000)
    stop_button(page).click()
    page.get_by_text("stopped in epoch").wait_for()
    run = Run.open(server.runs / run_name(page))
    checkpoint = run.record("checkpoint")
    assert checkpoint.config["epochs"] == 20
    assert (checkpoint.result["epoch"], checkpoint.result["batch"]) > stopped_at


def test_the_server_uses_the_slider_value_shown_while_a_key_is_held(server, page):
    """While a key is held, the server's answers lag behind the value in the browser."""
    for name, flag in (("Learning rate", "learning-rate"), ("Epochs", "epochs")):
        page.goto(f"{server.address}/train")
        slider = page.get_by_role("slider", name=name)
        slider.focus()
        for _ in range(5):  # from 0.006 to 0.2, from 1 to 6; the server answers in between
            page.keyboard.down("ArrowRight")
            page.wait_for_timeout(120)
        page.keyboard.up("ArrowRight")
        shown = slider.get_attribute("aria-valuetext")
        assert shown == {"learning-rate": "0.2", "epochs": "6"}[flag]
        page.get_by_text("The same on the command line").click()
        page.get_by_text(re.compile(f"--{flag} {re.escape(shown)}( |$)")).wait_for()
        settle(page)
        assert slider.get_attribute("aria-valuetext") == shown
        assert f"{flag}={shown}" in page.url, "a reload keeps the value"


def test_a_change_goes_on_from_here_and_the_curves_lie_over_each_other(server, page):
    start(page, server)
    preview = page.get_by_test_id("preview")
    before = preview.inner_html()
    page.wait_for_function("before => document.querySelector('.preview').innerHTML != before", arg=before)
    parent = run_name(page)
    page.get_by_role("slider", name="Learning rate").press("ArrowLeft")
    page.get_by_text("--learning-rate 0.005").first.wait_for(state="attached")
    page.get_by_role("button", name="Try this change").click()
    page.get_by_text(re.compile("Forked from own · strokes · .+ at epoch")).wait_for(timeout=60_000)
    assert "learning rate 0.006 → 0.005" in page.get_by_text("Forked from").inner_text()
    page.get_by_text("Time left").first.wait_for(timeout=60_000)
    page.get_by_test_id("live-curves").get_by_text("━ this run   ━ own · strokes · ").wait_for()
    page.set_viewport_size({"width": 1280, "height": 720})
    preview.wait_for()
    page.wait_for_function("document.querySelector('.preview .answers').getBoundingClientRect().bottom <= 720")
    assert page.get_by_role("button", name="Train", exact=True).bounding_box()["y"] < 300
    assert Run.open(server.runs / parent).record("checkpoint"), "the other training can be resumed"
    stop_button(page).click()
    page.get_by_text("stopped in epoch").wait_for()
    assert page.get_by_role("button", name="Resume the training").is_visible()


def test_a_running_training_survives_a_reload_and_a_server_restart(server, page):
    start(page, server)
    page.reload()
    stop_button(page).wait_for()
    page.get_by_text("Time left").first.wait_for()
    server.stop()
    server.start()
    page.goto(page.url)
    page.get_by_text("Time left").first.wait_for()
    assert "epochs=20" in page.url
    settle(page)
    stop_button(page).click()
    page.get_by_text("stopped in epoch").wait_for()


def test_two_visitors_train_two_runs_one_after_the_other(server, new_page):
    first, second = new_page(), new_page()
    start(first, server)
    second.goto(f"{server.address}/train?epochs=20&seed=1")
    second.get_by_role("button", name="Train", exact=True).click()
    second.get_by_text("Queued: another job is using the device cpu").wait_for(timeout=60_000)
    assert run_name(first) != run_name(second)
    stop_button(first).click()
    first.get_by_text("stopped in epoch").wait_for()
    second.get_by_text("Time left").first.wait_for()
    assert first.get_by_text("stopped in epoch").is_visible()
    stop_button(second).click()
    second.get_by_text("stopped in epoch").wait_for()


def test_closing_the_tab_does_not_stop_the_training(server, new_page):
    page = new_page()
    start(page, server, "epochs=2&train-size=5000&validation-size=0")
    name = run_name(page)
    page.close()
    other = new_page()
    other.goto(f"{server.address}/train?run={name}")
    other.get_by_text("On the test set").wait_for(timeout=60_000)


def test_the_chosen_run_and_settings_carry_over_to_other_pages(server, page, trained_run):
    for name in ("one", "two"):
        shutil.copytree(trained_run.path, server.runs / name)
    page.goto(f"{server.address}/train?run=one&epochs=7")
    page.get_by_text("1,050 steps").wait_for()  # 7 epochs of the run's 150 steps
    menu_link(page, "Data").click()
    page.get_by_role("heading", name="Gallery").wait_for()
    menu_link(page, "Train").click()
    page.get_by_text("1,050 steps").wait_for()
    assert "run=one" in page.url
    page.reload()
    page.get_by_text("1,050 steps").wait_for()


def test_a_killed_training_is_shown_as_died_and_can_be_resumed(server, page):
    start(page, server)
    run = Run.open(server.runs / run_name(page))
    deadline = time.monotonic() + 60
    while not run.record("checkpoint"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(current(run)[1].pid, signal.SIGKILL)
    page.get_by_text("the process died without an error message").first.wait_for(timeout=3_000)
    page.get_by_role("button", name="Resume the training").click()
    page.get_by_text("Time left").first.wait_for(timeout=60_000)
    stop_button(page).click()
    page.get_by_text("stopped in epoch").wait_for()
