"""Every text that a page shows is marked for translation."""

import ast
import re

from testing.translations import DOMAINS, sources
from tests.conftest import ROOT

_SHOWN = {
    *("title", "header", "subheader", "write", "caption", "markdown", "info", "success", "warning", "error", "toast"),
    *("button", "toggle", "checkbox", "selectbox", "multiselect", "slider", "select_slider", "number_input"),
    *("text_input", "text_area", "segmented_control", "pills", "radio", "download_button", "file_uploader"),
    *("camera_input", "expander", "popover", "metric", "spinner", "tabs", "dialog", "start_button"),
}
"""Functions whose first argument is a text."""
_NAMES = {"label", "help", "placeholder", "alt", "caption", "text", "page_title"}
"""Arguments by name that are texts."""
_ERRORS = re.compile(r"\w+Error$")
_WORDS = re.compile(r"[A-Za-z]{2,}")
_SAME_IN_ALL = {"ONNX", "SavedModel", "SHA-256", "Opset", "rtol", "atol"}
"""Names that no language translates."""


def literals(node):
    """The words in a literal, whether plain or with values in it; the arguments of a call are not looked at."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield from (part.value for part in parts if isinstance(part, ast.Constant))
        case ast.BinOp(left=left, right=right):
            yield from (*literals(left), *literals(right))
        case ast.IfExp(body=body, orelse=other):
            yield from (*literals(body), *literals(other))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                yield from literals(item)


def shown(call):
    """The arguments of a call that are texts."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _SHOWN or _ERRORS.match(name):
        yield from call.args[:1]
    yield from (word.value for word in call.keywords if word.arg in _NAMES or (word.arg == "hint" and name != "_"))


def unmarked(path):
    """The texts of a file that nobody can translate."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Call):
            for text in (text for argument in shown(node) for text in literals(argument)):
                words = re.sub(r":material/\w+:|:\w+-badge|https?://\S+|`[^`]*`", "", text)
                if _WORDS.search(words) and words.strip(" *.") not in _SAME_IN_ALL:
                    yield f"{path}:{node.lineno}: {text}"


def test_every_text_of_a_page_is_marked():
    assert not [fault for path in sources("app") for fault in unmarked(path)]


def test_no_function_with_texts_uses_the_name_of_the_mark_for_something_else():
    """A loop over `_` makes the texts of its function fail."""
    faults = []
    for path in (path for domain in DOMAINS for path in sources(domain) if path.suffix == ".py"):
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            nodes = list(own_nodes(function))
            marks = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_"]
            stores = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
            faults += [f"{path}:{node.lineno}" for node in stores if marks and node.id == "_"]
    assert not faults


def own_nodes(node):
    """The nodes of a function without those of comprehensions, which have names of their own."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
            yield child
            yield from own_nodes(child)
