import pytest

from convnet_core.common.formatting import format_count, format_size


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (505_568, "506 kB"), (94_000_000, "94.0 MB")])
def test_format_size(count, text):
    assert format_size(count) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 nodes"), (1, "1 node"), (1200, "1,200 nodes")])
def test_format_count(count, text):
    assert format_count(count, "node") == text
