"""The look at this machine that the app takes; the command is in test_cli."""

import time

from convnet_core.doctor import Examination


def test_an_examination_begins_a_second_after_it_was_made():
    seen = Examination()
    began = time.monotonic()
    assert seen.checks is None
    assert seen._process is None
    while seen.checks is None:
        assert time.monotonic() - began < 120
        time.sleep(0.1)
    assert time.monotonic() - began > 0.9
    assert {check.name for check in seen.checks} >= {"Python", "torch", "onnx"}
