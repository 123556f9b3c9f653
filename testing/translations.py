"""Bring the catalogs up to date with the source: `make translations`.

Adds what is new, without a translation, and removes what is gone. `tests/test_translations.py` fails until all texts
have a translation.
"""

import ast
import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from convnet_core.language import LANGUAGES, LOCALE

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = {"app": ("app.py", "pages"), "core": ("convnet_core",)}
"""The files of each catalog."""
_KEYWORDS = {"_": (1,), "N_": (1,), "plural": (1, 2), "setting": (2,)}
"""The functions that mark a text, and where it is among their arguments, from 1."""
_HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {}\\n"\n\n'
"""Babel's own would change with each update, as it has the time."""


def sources(domain):
    """The files of a domain with texts, from the root of the project."""
    for name in DOMAINS[domain]:
        found = [ROOT / name] if name.endswith(".py") else sorted((ROOT / name).rglob("*"))
        yield from (path.relative_to(ROOT) for path in found if path.suffix in (".py", ".j2"))


def texts_of(path):
    """The texts in a file: a string, or the singular and the plural.

    Not by Babel's own extractor for Python: it does not look into f-strings, nor does it tell the parts of a text from
    the strings of other arguments.
    """
    if path.suffix == ".j2":
        yield from (found[1] for found in extract_from_file("jinja2.ext:babel_extract", ROOT / path, _KEYWORDS))
        return
    calls = [node for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        places = _KEYWORDS.get(node.func.id, ()) if isinstance(node.func, ast.Name) else ()
        arguments = [node.args[place - 1] for place in places if place <= len(node.args)]
        texts = tuple(
            item.value for item in arguments if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
        if texts and len(texts) == len(places):
            yield texts if len(texts) > 1 else texts[0]


def extract(domain):
    """A catalog of all texts that the source of a domain marks, without translations."""
    template = Catalog(project="convnet", fuzzy=False)
    for path in sources(domain):
        for text in texts_of(path):
            template.add(text, None, [(path.as_posix(), 0)])
    return template


def read(domain, language):
    """A catalog of a language as it is; an empty one if there is no file."""
    path = _path(domain, language)
    text = path.read_bytes() if path.exists() else b""
    return read_po(io.BytesIO(text), locale=language, domain=domain)


def write(catalog, domain, language):
    """Write a catalog, in the order of the source."""
    path = _path(domain, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_HEADER.format(catalog.plural_forms).encode())
        write_po(file, catalog, width=120, sort_by_file=True, include_lineno=False, omit_header=True)


def forms(message):
    """The translations of a message, one for each plural form."""
    return message.string if isinstance(message.string, tuple | list) else (message.string,)


def update(domain, language):
    """Write a catalog anew, with the translations that it had."""
    old, catalog = read(domain, language), Catalog(locale=language, domain=domain, project="convnet", fuzzy=False)
    for message in extract(domain):
        if message.id:
            known = old.get(message.id)
            catalog.add(message.id, known and known.string, sorted(set(message.locations)))
    write(catalog, domain, language)
    missing = sum(not all(forms(message)) for message in catalog if message.id)
    print(f"{_path(domain, language).relative_to(ROOT)}: {len(catalog)} texts, {missing} without a translation")


def _path(domain, language):
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


if __name__ == "__main__":
    for language in LANGUAGES:
        for domain in DOMAINS:
            if language != "en":
                update(domain, language)
