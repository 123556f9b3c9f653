"""How the runtimes of a run read a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st

from convnet_core.data.drawing import Steps, steps
from convnet_core.data.picture import Gray
from convnet_core.errors import DataError
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import Answer, RuntimePool, fingerprint

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Reading:
    """A picture, its preparation, and the answers of the runtimes that are ready.

    `steps` is None on a blank picture, and on one that does not show one digit: `error` then says why. `doubt` says
    that the shape does not look like a digit.
    """

    picture: Gray | None = None
    steps: Steps | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    error: DataError | None = None
    doubt: bool = False


def read(picture: Gray | None, pool: RuntimePool) -> Reading:
    """Prepare a picture, float32 [height, width] in [0, 1], and read it with the runtimes that are ready."""
    if picture is None or np.ptp(picture) == 0:
        return Reading()
    try:
        prepared = steps(picture)
    except DataError as error:
        return Reading(picture, error=DataError(str(error), error.hint))  # without the traceback and its arrays
    image = prepared.image[None, None]
    doubt = pool.doubt(image)
    return Reading(picture, prepared, pool.read(image), doubt=doubt is not None and bool(doubt[0] > 0))


def keep(reading: Reading) -> Reading:
    """Make this the session's latest reading, which other parts of the page show."""
    st.session_state["reading"] = reading
    return reading


def latest() -> Reading:
    """The session's latest reading."""
    reading: Reading = st.session_state.get("reading") or Reading()
    return reading


@st.cache_resource(show_spinner=False, max_entries=3, on_release=RuntimePool.close)
def open_pool(path: Path, artifacts: str) -> RuntimePool:
    """The runtimes of a run, shared by all sessions; opened again when an artifact changes: see `fingerprint`."""
    return RuntimePool(Run(path), doubt=True)


def with_runtimes(run: Run, draw: Callable[[RuntimePool], object], key: str) -> None:
    """Call `draw` with the runtimes of a run in a fragment of this key, again and again while they load or learn."""
    artifacts = fingerprint(run)
    polling = open_pool(run.path, artifacts).busy

    def part() -> None:
        pool = open_pool(run.path, artifacts)
        draw(pool)
        if pool.busy != polling:  # the next draw of the page starts or stops polling
            st.rerun()

    st.fragment(part, run_every=_POLL_SECONDS if polling else None, key=key)()
