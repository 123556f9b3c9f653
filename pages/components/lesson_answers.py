"""What the reader answered in each lesson. The session keeps it, and the address while lessons are shown."""

from __future__ import annotations

import streamlit as st

from convnet_core.dissect.lesson_stories import STORIES

NAME = "answers"
"""The name in the address and in the session: a character for each lesson, in the order of the course."""
_NONE, _SKIPPED = "0", "s"


def follow() -> None:
    """Take over the answers in the address, or write the session's into it."""
    if NAME in st.query_params:
        st.session_state[NAME] = st.query_params[NAME]
    elif NAME in st.session_state:
        st.query_params[NAME] = st.session_state[NAME]


def guess_of(lesson: str) -> int | None:
    """The cause that the reader chose last; None if there is none."""
    answer = _answer(lesson)
    place = int(answer) - 1 if answer.isascii() and answer.isdigit() else -1
    return place if 0 <= place < len(STORIES[lesson].causes) else None


def is_right(lesson: str) -> bool:
    """Whether the reader found the cause."""
    return guess_of(lesson) == STORIES[lesson].right


def is_skipped(lesson: str) -> bool:
    """Whether the reader asked for the cause."""
    return _answer(lesson) == _SKIPPED


def guess(lesson: str, place: int) -> None:
    """Keep a chosen cause."""
    _keep(lesson, str(place + 1))


def skip(lesson: str) -> None:
    """Keep that the reader asked for the cause."""
    _keep(lesson, _SKIPPED)


def _answer(lesson: str) -> str:
    answers = st.session_state.get(NAME, "")
    place = list(STORIES).index(lesson)
    return answers[place] if place < len(answers) else _NONE


def _keep(lesson: str, answer: str) -> None:
    kept = {name: _answer(name) for name in STORIES}
    st.session_state[NAME] = st.query_params[NAME] = "".join({**kept, lesson: answer}.values())
