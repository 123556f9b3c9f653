"""Bring the catalogs up to date with the source: `make translations`.

Adds what is new without a translation, and removes what is gone. `tests/test_language.py` fails until both are done.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from convnet_core.language import LANGUAGES, LOCALE

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = {"app": ("app.py", "pages"), "core": ("convnet_core",)}
"""The files of each catalog."""
_METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
_HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {}\\n"\n\n'
"""Babel's own would change with each update, as it has the time."""
_KEYWORDS = {"_": None, "N_": None, "plural": (1, 2), "setting": (2,)}


def extract(domain):
    """A catalog of all texts that the source of a domain marks, without translations."""
    template = Catalog(project="convnet", fuzzy=False)
    for name in DOMAINS[domain]:
        for file, _line, text, comments, _context in _extract(name):
            template.add(text, None, [(file, 0)], auto_comments=comments)
    return template


def _extract(name):
    found = extract_from_dir(ROOT / name, _METHODS, keywords=_KEYWORDS, comment_tags=("Translators:",))
    for file, *rest in sorted(found, key=lambda item: item[:2]):
        yield Path(name, file).as_posix(), *rest


def read(domain, language):
    """A catalog of a language as it is; an empty one if there is no file."""
    path = _path(domain, language)
    text = path.read_bytes() if path.exists() else b""
    return read_po(io.BytesIO(text), locale=language, domain=domain)


def update(domain, language):
    """Write a catalog anew, with the translations that it had."""
    old, new = read(domain, language), extract(domain)
    catalog = Catalog(locale=language, domain=domain, project="convnet", fuzzy=False)
    for message in new:
        if message.id:
            known = old.get(message.id)
            catalog.add(
                message.id, known and known.string, sorted(set(message.locations)), auto_comments=message.auto_comments
            )
    path = _path(domain, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_HEADER.format(catalog.plural_forms).encode())
        write_po(file, catalog, width=120, sort_by_file=True, include_lineno=False, omit_header=True)
    missing = sum(not any(_forms(message)) for message in catalog if message.id)
    print(f"{path.relative_to(ROOT)}: {len(catalog)} texts, {missing} without a translation")


def _forms(message):
    return message.string if isinstance(message.string, tuple | list) else (message.string,)


def _path(domain, language):
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


if __name__ == "__main__":
    for language in LANGUAGES:
        for domain in DOMAINS:
            if language != "en":
                update(domain, language)
