"""The app's remedies: pages in place of commands, fields in place of flags."""

import pytest

from convnet_core.runs.run import Run
from pages.components.remedy import in_the_app


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("lower --learning-rate", "lower “learning rate”"),
        ("lower --validation-size or --batch-size", "lower “validation size” or “batch size”"),
        ("continue from here with `train --resume --run DIR`", "continue from here with the page Train"),
        ("train again: python -m convnet_core train --run /a/b-c", "train again: the page Train"),
        (
            "`convert --converter native`, or `export --opset 20`",
            "use the page Convert with “converter” native, or the page Export with “opset” 20",
        ),
        ("use generated digits (--data strokes)", "use generated digits (“data” strokes)"),
        ("export again; `convert` writes its own int8 file", "export again; `convert` writes its own int8 file"),
        ("", ""),
    ],
)
def test_a_hint_names_pages_and_fields(hint, expected):
    assert in_the_app(hint) == expected


def test_what_only_the_command_line_can_do_stays():
    hint = "the command line has no such limit: `python -m convnet_core convert --onnx FILE`"
    assert in_the_app(hint) == hint


STAGES = {
    "train": "the page Train",
    "convert/native": "the page Convert",
    "convert/onnx-tf": "the page Convert with “converter” onnx-tf",
    "lessons/epsilon": "the page Dissect with “lesson” epsilon",
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_of_a_stage_is_shown_as_its_page(tmp_path, stage):
    assert in_the_app(Run.create(tmp_path / "my run").command_for(stage)) == f"use {STAGES[stage]}"
