"""A choice whose labels are translated, or names of runs, in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from convnet_core.language import _, current
from pages.components.run_state import shown_name


def choose(
    draw: Callable[..., Any], label: str, names: Mapping[str, str], *, key: str, default: str, **looks: Any
) -> str:
    """Draw a selector of one of `names`, each with its label in English, and return the chosen name.

    Streamlit 1.67 binds the labels of a widget to the address: a link would be understood in one language alone, and a
    change of the language would lose the choice. So the name stands in the address, and under `key` in the session.
    """
    if key not in st.session_state:
        wanted = st.query_params.get(key)
        labels = {english: name for name, english in names.items()}  # links of earlier versions have them
        st.session_state[key] = wanted if wanted in names else labels.get(wanted or "", default)
    slot = f"{key} in {current()}"
    st.session_state[slot] = st.session_state[key]
    draw(
        label,
        list(names),
        key=slot,
        format_func=lambda name: _(names[name]),
        on_change=_take,
        args=(key, slot),
        **looks,
    )
    chosen = str(st.session_state[key])
    if st.query_params.get(key, default) != chosen:
        st.query_params[key] = chosen
    return chosen


def _take(key: str, slot: str) -> None:
    st.session_state[key] = st.session_state[slot]


def choose_runs(label: str, folders: Sequence[str], *, key: str, **looks: Any) -> list[str]:
    """Draw a selector of any number of runs and return their folders, which stand in the address: names can change."""
    if key not in st.session_state:
        st.session_state[key] = [name for name in st.query_params.get_all(key) if name in folders]
    chosen: list[str] = st.multiselect(label, folders, key=key, format_func=shown_name, **looks)
    _write(key, chosen)
    return chosen


def choose_run(label: str, folders: Sequence[str], *, key: str, **looks: Any) -> str | None:
    """Draw a selector of one run, or none, and return its folder, which stands in the address."""
    wanted = st.session_state.get(key, st.query_params.get(key))
    st.session_state[key] = wanted if wanted in folders else None
    chosen: str | None = st.selectbox(label, folders, index=None, key=key, format_func=shown_name, **looks)
    _write(key, [chosen] if chosen else [])
    return chosen


def _write(key: str, chosen: list[str]) -> None:
    """Only if it changes: a write sends the whole address as the server knows it."""
    if st.query_params.get_all(key) == chosen:
        return
    if chosen:
        st.query_params[key] = chosen
    else:
        del st.query_params[key]
