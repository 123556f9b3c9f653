"""Typed or bookmarked addresses: each opens its page on a new server or shows one "Page not found" message."""

import pytest

from testing.browser import PAGES, menu_link, settle

HEADINGS = {"": "PyTorch → TensorFlow, proven equal", "home": "PyTorch → TensorFlow, proven equal"}
HEADINGS |= {name: name.title() for name in PAGES[1:]}


def open_address(page, server, address):
    page.goto(f"{server.address}/{address}")
    page.get_by_role("heading", level=1, name=HEADINGS.get(address, HEADINGS[""]), exact=True).wait_for()
    settle(page)
    links = [link.inner_text().splitlines()[-1] for link in page.get_by_test_id("stSidebarNavLink").all()]
    assert links == [name.title() for name in PAGES], address


@pytest.mark.slow
def test_each_address_opens_its_page_on_a_new_and_on_a_used_server(server, page):
    for address in ("home", *HEADINGS):
        open_address(page, server, address)
        assert not page.get_by_role("dialog").count(), address
        assert not page.get_by_test_id("stException").count(), address


@pytest.mark.slow
@pytest.mark.parametrize("first", ["job_area", "jobs"])
def test_an_unknown_address_shows_one_message_and_leads_home(server, page, first):
    """Until Streamlit knows the menu, it takes every file in the pages folder for a page, helpers included."""
    for address in (first, "nothing"):
        open_address(page, server, address)
        page.get_by_role("dialog").get_by_text("Page not found").wait_for()
        assert page.url.partition("?")[0] == f"{server.address}/"
        page.keyboard.press("Escape")
        menu_link(page, "Train").click()
        page.get_by_role("heading", name="Train", exact=True).wait_for()
        assert not page.get_by_role("dialog").count()
