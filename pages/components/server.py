"""What the app's server answers besides Streamlit's own addresses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager

_INDEX = Path(st.__file__).parent / "static/index.html"
_ADDRESS = '<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", location.href).href}</script>'
"""Where the server is, seen from a page's address: one level up.

Streamlit 1.67 looks for it below the page's own address first, and leaves two errors 404 in the browser's console.
"""


def routes(pages: Iterable[str]) -> list[Route]:
    """The routes of the pages at these addresses. Call it before the server starts.

    Streamlit 1.67 takes each file in `pages` for a page until the first call of `st.navigation`: a new server would
    answer its first request, if that is /train, with pages/train.py instead of app.py. Turn that off.
    """
    PagesManager.uses_pages_directory = False
    html = _INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>{_ADDRESS}", 1)

    async def index(request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    return [Route(f"/{name}", index) for name in pages]
