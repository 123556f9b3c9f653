"""A few of the kills of `make soak`, which does 200."""

import pytest

from testing.trials import kills


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing():
    for line in kills.trial(8, processes=1):
        assert line.ok, line


def test_a_half_written_folder_is_detected(finished_run, tmp_path):
    from tests.conftest import copy_of

    run = copy_of(finished_run, tmp_path)
    kills.check_run(run, "compare", "")
    (run.path / "convert/native/frozen.pb").write_bytes(b"half")
    with pytest.raises(AssertionError, match=r"frozen\.pb is half-written"):
        kills.check_run(run, "compare", "")
