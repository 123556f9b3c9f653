"""A progress bar for work that a page does itself."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import streamlit as st

from convnet_core.common.formatting import capitalized, format_number
from convnet_core.events import Event, Monitor, Progress
from convnet_core.language import _


class ProgressBar(Monitor):
    """Shows what a stage's function does, in the place where it is created, until the block ends."""

    def __init__(self, label: str) -> None:
        self._bar = st.progress(0.0, text=label)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.empty()

    def emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            text = _(
                "{label}: {done} of {total} {unit}",
                label=capitalized(event.label),
                done=format_number(event.done),
                total=format_number(event.total),
                unit=event.unit,
            )
            self._bar.progress(min(1.0, event.done / max(1, event.total)), text=text)
