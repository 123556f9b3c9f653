"""The environment of the processes that the package starts."""

from __future__ import annotations

import os
from pathlib import Path


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, plus `extra` for variables not set here, and PYTHONPATH set to find this package."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    return {**extra, **os.environ, "PYTHONPATH": path}
