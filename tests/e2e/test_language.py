"""A reader whose browser speaks Chinese, and the switch."""

from testing.browser import settle


def test_the_browsers_language_the_switch_and_the_address(server, new_page):
    page = new_page(locale="zh-CN")
    page.goto(f"{server.address}/train")
    page.get_by_role("heading", level=1, name="训练", exact=True).wait_for()
    settle(page)
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert "lang=" not in page.url
    page.get_by_test_id("stSidebar").get_by_text("English").click()
    page.get_by_role("heading", level=1, name="Train", exact=True).wait_for()
    page.wait_for_url("**lang=en**")
    page.get_by_role("link", name="Compare", exact=True).first.click()
    page.get_by_role("heading", level=1, name="Compare", exact=True).wait_for()
    page.reload()
    page.get_by_role("heading", level=1, name="Compare", exact=True).wait_for()
    page.wait_for_function("document.documentElement.lang === 'en'")
