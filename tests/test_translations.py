"""Every text of the source has a translation in every language, with the same placeholders."""

from string import Formatter

import pytest

from convnet_core.language import LANGUAGES
from testing.translations import DOMAINS, extract, forms, read

_CATALOGS = [(domain, language) for domain in DOMAINS for language in LANGUAGES if language != "en"]
_HINT = "run `make translations`, and translate what is new in convnet_core/locale"


def placeholders(text):
    """The fields that a text fills in, with their formats."""
    return {(name, form) for _, name, form, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(("domain", "language"), _CATALOGS)
def test_a_catalog_has_a_translation_of_each_text_and_nothing_else(domain, language):
    catalog, source = read(domain, language), extract(domain)
    assert {message.id for message in catalog} == {message.id for message in source} | {""}, _HINT
    assert not [message.id for message in catalog if message.id and not all(forms(message))], _HINT
    assert not [message.id for message in catalog if message.fuzzy and message.id]


@pytest.mark.parametrize(("domain", "language"), _CATALOGS)
def test_a_translation_fills_in_what_its_text_does(domain, language):
    for message in read(domain, language):
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        expected = set().union(*map(placeholders, texts))
        for form in forms(message):
            assert placeholders(form) == expected, message.id


@pytest.mark.parametrize("language", set(LANGUAGES) - {"en"})
def test_catalogs_do_not_contradict_each_other(language):
    known = {}
    for domain in DOMAINS:
        for message in read(domain, language):
            if message.id:
                assert known.setdefault(message.id, message.string) == message.string, message.id
