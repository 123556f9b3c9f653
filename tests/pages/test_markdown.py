"""Text that people or files wrote, in Markdown."""

import pytest

from pages.components.markdown import code, escape


def test_a_text_is_shown_as_it_is():
    assert escape("![a](http://b) *c*") == r"\!\[a\]\(http\:\/\/b\) \*c\*"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [("conv1.weight", "` conv1.weight `"), ("a`b``c", "``` a`b``c ```"), ("a\n\n# b", "` a # b `")],
)
def test_code_ends_where_the_text_ends(text, markdown):
    assert code(text) == markdown
