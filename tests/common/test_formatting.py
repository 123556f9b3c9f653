from datetime import datetime

import pytest

from convnet_core import language
from convnet_core.common.formatting import format_count, format_moment, format_number, format_size


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (505_568, "506 kB"), (94_000_000, "94.0 MB")])
def test_format_size(count, text):
    assert format_size(count) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 nodes"), (1, "1 node"), (1200, "1,200 nodes")])
def test_format_count(count, text):
    assert format_count(count, "node") == text


def test_numbers_and_moments_in_english_and_in_chinese():
    moment = datetime(2026, 11, 30, 15, 30)
    assert format_number(12345.678, 1) == "12,345.7"
    assert format_moment(moment) == "2026-11-30 15:30"
    with language.use("zh"):
        assert format_number(12345.678, 1) == "12,345.7"
        assert format_number(2000) == "2,000"
        assert format_moment(moment) == "2026/11/30 15:30"
