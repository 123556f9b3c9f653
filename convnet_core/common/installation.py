"""Where this package stands: in a checkout, beside the app and requirements.txt, or installed from a wheel."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED_APP = _PACKAGE / "app" / "app.py"  # setup.py puts it there
REQUIREMENTS = None if _INSTALLED_APP.exists() else _PACKAGE.parent / "requirements.txt"
"""The checkout's requirements.txt; None where the package was installed."""


def app_script() -> Path:
    """The script that Streamlit serves."""
    return _INSTALLED_APP if REQUIREMENTS is None else _PACKAGE.parent / "app.py"


def requirements() -> list[str]:
    """What this package needs, a requirement such as `torch==2.14.1; python_version < "3.12"` each; no extras."""
    if REQUIREMENTS is None:
        lines = importlib.metadata.requires("convnet-core") or []
        return [line for line in lines if "extra ==" not in line]
    lines = [line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]
