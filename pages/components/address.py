"""A choice whose labels are translated, in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from convnet_core.language import _, current


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
