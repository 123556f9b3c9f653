"""Benchmark."""

from __future__ import annotations

import streamlit as st

from pages import _shared as shared

shared.through_the_app()
st.title("Benchmark")
