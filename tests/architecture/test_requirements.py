"""Pinned versions are not older than the security fixes that requirements.txt lists."""

import re

from tests.conftest import ROOT

_TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def version(text):
    return tuple(map(int, text.split(".")))


def test_no_pin_is_older_than_a_security_fix():
    pins = dict(re.findall(r"^([a-z0-9-]+)==([\d.]+)", _TEXT, re.MULTILINE))
    bounds = re.findall(r"^#   ([a-z0-9-]+) >= ([\d.]+) +(\S.*)$", _TEXT, re.MULTILINE)
    assert len(bounds) >= 8
    for name, lowest, reason in bounds:
        assert version(pins[name]) >= version(lowest), (name, reason)
