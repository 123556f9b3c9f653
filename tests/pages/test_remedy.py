"""The app's remedies: pages in place of commands, fields in place of flags."""

import ast
import re

import pytest

from convnet_core import language
from convnet_core.errors import DataError
from convnet_core.jobs.job import open_job
from convnet_core.language import LANGUAGES, _
from convnet_core.runs.run import Run
from pages.components.remedy import in_the_app, page_of
from pages.components.remedy import text_of as remedy_text
from tests.conftest import ROOT
from tests.pages.conftest import open_page, text_of


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("lower --learning-rate", "lower “learning rate”"),
        ("lower --validation-size or --batch-size", "lower “validation size” or “batch size”"),
        ("continue from here with `train --resume --run DIR`", "continue from here with “Resume the training”"),
        ("train again: python -m convnet_core train --run /a/b-c", "train again: the page Train"),
        (
            "`convert --converter native`, or `export --opset 20`",
            "use the page Convert with “converter” native, or the page Export with “opset” 20",
        ),
        ("use generated digits (--data strokes)", "use generated digits"),
        ("export again; `convert` writes its own int8 file", "export again; the page Convert writes its own int8 file"),
        (
            "on random numbers, not on real samples (--calibration samples.npz)",
            "on random numbers, not on real samples",
        ),
        ("", ""),
    ],
)
def test_a_hint_names_pages_and_fields(hint, expected):
    assert in_the_app(hint) == expected


def test_what_only_the_command_line_can_do_stays():
    hint = "the command line has no such limit: `python -m convnet_core convert --onnx FILE`"
    assert in_the_app(hint) == "the command line has no such limit"


STAGES = {
    "train": "the page Train",
    "convert/native": "the page Convert",
    "convert/onnx-tf": "the page Convert with “converter” onnx-tf",
    "lessons/epsilon": "the page Dissect with “lesson” epsilon",
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_of_a_stage_is_shown_as_its_page(tmp_path, stage):
    assert in_the_app(Run.create(tmp_path / "my run").command_for(stage)) == f"use {STAGES[stage]}"


_COMMAND_LINE = re.compile(r"(?<!-)--[a-z]|convnet_core (?!/)|`(train|export|convert|compare|runs|doctor|pipeline)\b")
_NO_PAGE = ("cli/", "export/factory.py", "export/verification.py", "artifacts/pack.py", "training/cuda_graph.py")
"""Modules whose errors no page can show: what they do has no button."""


def hints_of(module):
    """The hints in a module's source, with X for each value that is filled in."""
    tree = ast.parse(module.read_text())
    named = {
        target.id: node.value for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
        if isinstance(target, ast.Name)
    }  # fmt: skip

    def texts(node):
        match node:
            case ast.Call(func=ast.Name(id="_" | "N_" | "plural"), args=[ast.Constant(value=str(text)), *_others]):
                yield from (re.sub(r"\{.*?\}", "X", _(text)), re.sub(r"\{.*?\}", "X", text))
            case ast.Call(func=ast.Name(id="_"), args=[name]):
                yield from texts(name)
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in parts)
            case ast.Name(id=name) if name in named:
                yield from texts(named[name])
            case ast.IfExp(body=one, orelse=other):
                yield from (*texts(one), *texts(other))
            case ast.BoolOp(values=values) | ast.Dict(values=values):
                for value in values:
                    yield from texts(value)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.search("Error$|Stopped$", ast.unparse(node.func)):
            for value in (*(word.value for word in node.keywords if word.arg == "hint"), *node.args[1:2]):
                yield from texts(value)
    for name, node in named.items():
        if name.endswith("_FIXES"):
            yield from texts(node)


def modules():
    for path in sorted((ROOT / "convnet_core").rglob("*.py")):
        name = path.relative_to(ROOT / "convnet_core").as_posix()
        if not name.startswith(_NO_PAGE):
            yield name, path


@pytest.mark.parametrize("reader", LANGUAGES)
def test_no_hint_that_a_page_can_show_names_a_flag_or_a_command(reader):
    with language.use(reader):
        found = [(name, hint) for name, path in modules() for hint in hints_of(path)]
        wrong = {name: in_the_app(hint) for name, hint in found if _COMMAND_LINE.search(in_the_app(hint))}
    assert len(found) > 100
    assert not wrong


def test_an_error_links_to_the_page_of_its_remedy(root):
    run = Run.create(root / "run")
    with pytest.raises(DataError), open_job(run, "train"):
        raise DataError("the loss is nan", "lower --learning-rate")
    app = open_page()
    assert "lower “learning rate”" in text_of(app)
    assert "Go to Train" in [link.proto.label for link in app.get("page_link")]


@pytest.mark.parametrize(
    ("hint", "page"),
    [
        ("lower --batch-size", "train"),
        ("use --opset 18", "export"),
        ("use 12 digits（--data strokes）", "data"),
        ("wait", ""),
    ],
)
def test_the_page_of_a_hint(hint, page):
    assert page_of(hint) == page


def test_a_name_in_an_error_fetches_nothing():
    """A tensor can be called ![x](http://elsewhere/x.png)."""
    name = "![x](http://elsewhere/x.png)"
    shown = remedy_text(DataError(f"{name} is damaged", f"see {name}"))
    assert "](" not in shown
    assert shown.count("http://elsewhere/x.png") == 2
