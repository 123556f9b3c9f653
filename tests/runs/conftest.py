import pytest

from convnet_core.runs.run import Run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run")
