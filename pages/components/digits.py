"""The digits that pages show, read once for all sessions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence

import streamlit as st
from PIL import ImageOps

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data import gallery, strokes
from convnet_core.data.gallery import Picture
from pages.components.progress_bar import ProgressBar

_FIRST_ROWS, _FIRST_COLUMNS = 3, 20


class _Shelf:
    """The digits of a config, loaded by the first session that asks; the others wait for it."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._digits: data.Digits | None = None

    def digits(self) -> data.Digits:
        """The digits; while they are read or generated, the page shows a progress bar. Raises DataError."""
        if self._digits is None:
            with ProgressBar("Reading the digits") as bar, self._lock:
                self._digits = self._digits or data.load(self._config, bar)
        return self._digits

    @functools.cached_property
    def mean_images(self) -> Picture:
        return gallery.mean_images(self.digits().train)


@st.cache_resource(show_spinner=False, max_entries=3)
def _shelf(config: DataConfig, stamp: str) -> _Shelf:
    """Not the digits themselves: a cached function that shows a progress bar would show it again from the cache."""
    return _Shelf(config)


def digits(config: DataConfig) -> data.Digits:
    """The digits of a config, shared by all sessions; do not modify them. Raises DataError."""
    return _shelf(config, data.stamp(config)).digits()


def mean_images(config: DataConfig) -> Picture:
    """The mean training image of each digit, uint8 [10, 28, 28], shared in the same way. Raises DataError."""
    return _shelf(config, data.stamp(config)).mean_images


def show_sheet(rows: Sequence[Picture], *, enlarge: int = 2) -> None:
    """Show rows of images, uint8 [n, 28, 28] each, in the page's own colors: dark ink on a light page."""
    sheet = gallery.sheet(rows, enlarge=enlarge)
    st.image(ImageOps.invert(sheet) if st.context.theme.type == "dark" else sheet)


def show_first_strokes() -> None:
    """Show the first digits that the project draws itself, without drawing the other 60,000."""
    images = _first_strokes()
    show_sheet([images[row::_FIRST_ROWS] for row in range(_FIRST_ROWS)])


@st.cache_resource(show_spinner=False)
def _first_strokes() -> Picture:
    return strokes.generate(_FIRST_ROWS * _FIRST_COLUMNS, seed=0)[0]
