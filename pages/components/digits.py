"""The digits that pages show, read once for all sessions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait

import streamlit as st
from PIL import ImageOps

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data import gallery, strokes
from convnet_core.data.gallery import Picture
from convnet_core.events import Event, Monitor, Progress
from convnet_core.language import _, keep
from pages.components.progress_bar import ProgressBar

_POLL_SECONDS = 0.2
_FIRST_ROWS, _FIRST_COLUMNS = 3, 20


class _Loading(Monitor):
    """Digits that are being read or generated in a thread of their own.

    Each update of a progress bar ends the script of a page that was closed or drawn anew; the thread goes on.
    """

    def __init__(self, config: DataConfig) -> None:
        self.progress: Progress | None = None
        self.digits = Future[data.Digits]()
        threading.Thread(target=keep(self._load), args=(config,), name="digits", daemon=True).start()

    def emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress = event

    def _load(self, config: DataConfig) -> None:
        try:
            self.digits.set_result(data.load(config, self))
        except BaseException as error:  # whoever waits raises it
            self.digits.set_exception(error)

    def wait(self, bar: ProgressBar) -> data.Digits:
        """The digits, with their progress in a bar. Raises DataError."""
        while not self.digits.done():
            if self.progress:
                bar.emit(self.progress)
            wait([self.digits], timeout=_POLL_SECONDS)
        return self.digits.result()


class _Shelf:
    """The digits of a config, loaded once for all sessions."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._loading: _Loading | None = None
        self._digits: data.Digits | None = None

    def digits(self) -> data.Digits:
        """The digits; while they are read or generated, every page that waits shows a bar. Raises DataError."""
        if self._digits is None:
            loading = self._start()
            with ProgressBar(_("Reading the digits")) as bar:
                self._digits = loading.wait(bar)
        return self._digits

    def _start(self) -> _Loading:
        """The loading that runs; a new one if there is none, or if the last one failed."""
        with self._lock:
            if self._loading is None or (self._loading.digits.done() and self._loading.digits.exception()):
                self._loading = _Loading(self._config)
            return self._loading

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


def show_sheet(rows: Sequence[Picture], alt: str, *, enlarge: int = 2) -> None:
    """Show rows of images, uint8 [n, 28, 28] each, in the page's own colors: dark ink on a light page.

    `alt` says what they are to those who do not see them.
    """
    sheet = gallery.sheet(rows, enlarge=enlarge)
    st.image(ImageOps.invert(sheet) if st.context.theme.type == "dark" else sheet, alt=alt)


def show_first_strokes() -> None:
    """Show the first digits that the project draws itself, without drawing the other 60,000."""
    images = _first_strokes()
    show_sheet([images[row::_FIRST_ROWS] for row in range(_FIRST_ROWS)], _("Handwritten digits"))


@st.cache_resource(show_spinner=False)
def _first_strokes() -> Picture:
    return strokes.generate(_FIRST_ROWS * _FIRST_COLUMNS, seed=0)[0]
