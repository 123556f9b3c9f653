"""What every process that the package starts is given."""

from __future__ import annotations

import os
from pathlib import Path


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, in which `python -m convnet_core` finds this package; `extra` gives way to it."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    return {**extra, **os.environ, "PYTHONPATH": path}
