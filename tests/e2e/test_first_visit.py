"""The first visit: one button, the verdict."""

import pytest

from testing.browser import PAGES, stop_button
from tests.conftest import RUNTIMES


@pytest.mark.slow
def test_a_page_can_be_the_first_that_a_new_server_is_asked_for(server, page):
    page.goto(f"{server.address}/compare")
    page.get_by_text("needs a trained network").wait_for()
    links = [link.inner_text().splitlines()[-1] for link in page.get_by_test_id("stSidebarNavLink").all()]
    assert links == [page.title() for page in PAGES]
    page.get_by_role("link", name="Or train one with your own settings").click()
    page.get_by_role("heading", name="Train", exact=True).wait_for()


def test_one_button_from_the_first_visit_to_the_verdict(server, page):
    page.goto(server.address)
    page.get_by_role("button", name="Run the pipeline").click()
    page.wait_for_url("**run=*")
    stop_button(page).wait_for()
    page.reload()  # the job goes on, and is found again
    stop_button(page).wait_for()
    page.get_by_text(f"{len(RUNTIMES)} runtimes agree.").wait_for(timeout=300_000)
    page.get_by_role("button", name="Download the report").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "Traceback" not in page.content()
