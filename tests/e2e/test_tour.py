"""The tour of the first visit."""

import shutil

import pytest

from testing.browser import settle

STEPS = ["Draw here", "The verdict", "The way", "The graph", "Every node from all sides", "The sketchpad"]


@pytest.fixture
def finished(server, finished_run):
    shutil.copytree(finished_run.path, server.runs / "run")


def overlap(page):
    """How much of the card lies over the part of the page that the ring marks, in square pixels."""
    ring, card = (page.locator(f".st-key-tour .{name}").bounding_box() for name in ("ring", "card"))
    sides = []
    for start, size in (("x", "width"), ("y", "height")):
        sides.append(min(ring[start] + ring[size], card[start] + card[size]) - max(ring[start], card[start]))
    return max(sides[0], 0) * max(sides[1], 0)


def test_the_tour_comes_once_and_is_taken_by_keyboard(server, finished, new_page):
    page = new_page(tour=True, viewport={"width": 1280, "height": 720})
    page.goto(server.address)
    card = page.get_by_role("dialog", name="Draw here")
    card.wait_for()
    for number, title in enumerate(STEPS):
        page.get_by_role("dialog", name=title).wait_for()
        assert page.get_by_text(f"{number + 1} / {len(STEPS)}").is_visible()
        assert not overlap(page), title
        page.keyboard.press("ArrowRight" if number % 2 else "Enter")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.reload()
    page.get_by_text("One digit, from 0 to 9").wait_for()
    settle(page)
    page.wait_for_timeout(1000)
    assert not page.get_by_role("dialog").is_visible()
    page.goto(f"{server.address}/data")
    page.get_by_role("button", name="Take the tour").click()
    page.get_by_role("dialog", name="Draw here").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


@pytest.mark.slow
def test_a_skipped_tour_does_not_come_back_and_fits_a_phone(server, finished, new_page):
    page = new_page(tour=True, viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.goto(server.address)
    for title in STEPS:
        page.get_by_role("dialog", name=title).wait_for()
        assert not overlap(page), title
        if title != STEPS[-1]:
            page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.reload()
    page.get_by_text("One digit, from 0 to 9").wait_for()
    page.wait_for_timeout(1000)
    assert not page.get_by_role("dialog").is_visible()
