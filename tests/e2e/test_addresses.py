"""Addresses that somebody may type or has kept: each opens its page on a new server, or says once that it has none."""

import pytest

from testing.browser import settle
from tests.e2e.test_first_visit import MENU

HEADINGS = {"": "PyTorch → TensorFlow, proven equal", "home": "PyTorch → TensorFlow, proven equal"}
HEADINGS |= {name.lower(): name for name in MENU[1:]}


def opened(page, server, address):
    page.goto(f"{server.address}/{address}")
    page.get_by_role("heading", level=1, name=HEADINGS.get(address, HEADINGS[""]), exact=True).wait_for()
    settle(page)
    links = [link.inner_text().splitlines()[-1] for link in page.get_by_test_id("stSidebarNavLink").all()]
    assert links == MENU, address


@pytest.mark.slow
def test_each_address_opens_its_page_on_a_new_server_and_later(server, page):
    for address in ("home", *HEADINGS):
        opened(page, server, address)
        assert not page.get_by_role("dialog").count(), address
        assert not page.get_by_test_id("stException").count(), address


@pytest.mark.slow
@pytest.mark.parametrize("first", ["job_area", "jobs"])
def test_an_address_of_no_page_says_so_once_and_leads_home(server, page, first):
    """Helpers stand in the folders of the pages; Streamlit takes files there for pages until it knows the menu."""
    for address in (first, "nothing"):
        opened(page, server, address)
        page.get_by_role("dialog").get_by_text("Page not found").wait_for()
        assert page.url.partition("?")[0] == f"{server.address}/"
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Train", exact=True).click()
        page.get_by_role("heading", name="Train", exact=True).wait_for()
        assert not page.get_by_role("dialog").count()
