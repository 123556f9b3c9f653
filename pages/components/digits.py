"""The digits that pages show, read once for all sessions."""

from __future__ import annotations

import streamlit as st

from convnet_core.config.stages import DataConfig
from convnet_core.data import digits as data
from convnet_core.data.gallery import Picture
from convnet_core.data.gallery import mean_images as means_of


def digits(config: DataConfig) -> data.Digits:
    """The digits of a config, cached for all sessions; do not modify them. Raises DataError."""
    return _digits(config, data.stamp(config))


@st.cache_resource(show_spinner="Reading the digits; the first time, they are generated", max_entries=3)
def _digits(config: DataConfig, stamp: str) -> data.Digits:
    return data.load(config)


def mean_images(config: DataConfig) -> Picture:
    """The mean training image of each digit, uint8 [10, 28, 28], cached in the same way. Raises DataError."""
    return _mean_images(config, data.stamp(config))


@st.cache_resource(show_spinner=False, max_entries=3)
def _mean_images(config: DataConfig, stamp: str) -> Picture:
    return means_of(_digits(config, stamp).train)
