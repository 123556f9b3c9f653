"""The first visit: one button leads to the verdict."""

import pytest

from testing.browser import PAGES, stop_button
from tests.conftest import RUNTIMES


@pytest.mark.slow
def test_any_page_can_be_the_first_request_to_a_new_server(server, page):
    failed = []
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.goto(f"{server.address}/compare")
    page.get_by_text("needs a trained network").wait_for()
    links = [link.inner_text().splitlines()[-1] for link in page.get_by_test_id("stSidebarNavLink").all()]
    assert links == [page.title() for page in PAGES]
    page.get_by_role("link", name="Or train one with your own settings").click()
    title = page.get_by_role("heading", name="Train", exact=True)
    title.wait_for()
    assert title.bounding_box()["y"] < 100
    assert not failed


def test_one_button_runs_the_pipeline_to_the_verdict(server, page):
    page.goto(server.address)
    page.get_by_text("It learns from 55,000 digits like these").wait_for()
    page.get_by_role("button", name="Run the pipeline").click()
    page.wait_for_url("**run=*")
    stop_button(page).wait_for()
    page.get_by_text("test digits are read correctly").wait_for(timeout=120_000)  # the network's first guesses
    page.get_by_test_id("live-curves").wait_for()
    page.reload()  # the job keeps running and shows up again
    stop_button(page).wait_for()
    page.get_by_text(f"{len(RUNTIMES)} runtimes agree.").wait_for(timeout=300_000)
    page.get_by_role("link", name="Next: Train").wait_for()
    page.get_by_text("One digit, from 0 to 9").wait_for()  # the pad
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "Traceback" not in page.content()
