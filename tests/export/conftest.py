import pytest


@pytest.fixture(autouse=True)
def seed():
    import torch

    torch.manual_seed(0)
