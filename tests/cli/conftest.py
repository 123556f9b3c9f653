import pytest

from tests.conftest import copy_of


@pytest.fixture
def run(finished_run, tmp_path):
    """A finished run that a test may change."""
    return copy_of(finished_run, tmp_path)
