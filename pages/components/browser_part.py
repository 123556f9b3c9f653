"""The part of a component that runs in the browser: files beside its Python file, under one name."""

from __future__ import annotations

from pathlib import Path

CONTROLS = (Path(__file__).parent / "controls.css").read_text("utf-8")
"""The style of buttons, like Streamlit's own: a component's page has no other."""


def read_part(module: str, name: str) -> tuple[str, str, str]:
    """HTML, CSS and JavaScript of the component whose Python file is `module`."""
    html, css, js = (Path(module).with_name(f"{name}.{kind}").read_text("utf-8") for kind in ("html", "css", "js"))
    return html, css, js
