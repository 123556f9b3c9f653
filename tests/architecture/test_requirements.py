"""Each version that is pinned lies above the ones with known holes, which requirements.txt names."""

import re

from tests.conftest import ROOT

_TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def version(text):
    return tuple(map(int, text.split(".")))


def test_no_pin_lies_below_a_version_that_closed_a_hole():
    pins = dict(re.findall(r"^([a-z0-9-]+)==([\d.]+)", _TEXT, re.MULTILINE))
    bounds = re.findall(r"^#   ([a-z0-9-]+) >= ([\d.]+) +(\S.*)$", _TEXT, re.MULTILINE)
    assert len(bounds) >= 8
    for name, lowest, reason in bounds:
        assert version(pins[name]) >= version(lowest), (name, reason)
