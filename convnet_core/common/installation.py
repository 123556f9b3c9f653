"""Find the app and the requirements, both in a checkout and in an installed wheel."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED_APP = _PACKAGE / "app" / "app.py"  # setup.py copies it there
REQUIREMENTS = None if _INSTALLED_APP.exists() else _PACKAGE.parent / "requirements.txt"
"""The checkout's requirements.txt; None if the package was installed from a wheel."""


def app_script() -> Path:
    """The script for Streamlit to run."""
    return _INSTALLED_APP if REQUIREMENTS is None else _PACKAGE.parent / "app.py"


def requirements() -> list[str]:
    """The package's requirements, such as `torch==2.14.1; python_version < "3.12"`, without extras."""
    if REQUIREMENTS is None:
        lines = importlib.metadata.requires("convnet-core") or []
        return [line for line in lines if "extra ==" not in line]
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]
