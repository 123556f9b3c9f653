"""Data: choose the digits, look at them, and try augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from convnet_core.common.formatting import format_number
from convnet_core.config.stages import AugmentConfig, DataConfig
from convnet_core.data import gallery
from convnet_core.data.digits import Digits
from convnet_core.data.sources import source_of
from convnet_core.errors import ConvNetError
from convnet_core.language import _
from pages.charts import style as charts
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import digits, mean_images, show_sheet
from pages.components.names import data_name, page_title
from pages.components.progress_bar import ProgressBar
from pages.forms import training as settings

_EACH = 16  # images per digit in the gallery


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("data"))
    st.write(_("Choose the handwritten digits for training and testing, and look at them before you train."))
    shared.warn_if_imported(_("These images are for a network that reads digits."))
    settings.follow(shared.selected_run())
    config = settings.data_settings(st.container(key="settings"))
    if config and (loaded := load(config)):
        show(loaded, mean_images(config))
        label = _("Train on {data}", data=data_name(config.source))
        st.page_link("pages/train.py", label=label, icon=":material/model_training:")


def load(config: DataConfig) -> Digits | None:
    """The digits; None, with the reason and a fix shown, if they are not available."""
    try:
        source = source_of(config)
        if folder := source.missing_in(config):
            st.info(_("{data} is not in {folder} yet.", data=_(source.title), folder=folder))
            label = _("Download {data}, {size}", data=_(source.title), size=source.download_size)
            if not st.button(label, type="primary", icon=":material/download:"):
                return None
            with ProgressBar(_("Downloading {data}", data=_(source.title))) as bar:
                source.download(config, bar)
            st.rerun()
        return digits(config)
    except ConvNetError as error:
        jobs.show_error(error)
        return None


def balance_chart(digits: Digits) -> go.Figure:
    """The number of images of each digit."""
    splits = ((_("training"), digits.train), (_("test"), digits.test))
    series = tuple((name, tuple(range(10)), tuple(gallery.counts(split))) for name, split in splits)
    return charts.bars(series, _("digit"), _("images"), height=300)


def show_augmented(digits: Digits, config: AugmentConfig, seed: int) -> None:
    """Show the first image of each digit, and distorted versions of it."""
    originals = np.concatenate([row[:1] for row in gallery.samples(digits.train, 1, seed)])
    rows = [originals]
    if config:
        from convnet_core.data.augment import augment_array

        rows += [augment_array(originals, config, seed + number) for number in range(5)]
        st.caption(_("First row: the originals. Below: five random distortions of each; every epoch draws new ones."))
    else:
        st.caption(_("No augmentation: every epoch uses the original images. Move a slider to see its effect."))
    show_sheet(rows, _("The ten digits and random distortions of them"), enlarge=3)


@st.fragment
def explore_augmentation(digits: Digits, seed: int) -> None:
    """The sliders and their effect; the Train page uses their values."""
    show_augmented(digits, settings.augmentation_settings(st.container()), seed)


def show(digits: Digits, means: gallery.Picture) -> None:
    """Show everything about a data set."""
    facts: dict[str, Any] = {
        _("Training images"): format_number(len(digits.train)),
        _("Test images"): format_number(len(digits.test)),
        "SHA-256": digits.fingerprint[:12],
    }
    with st.container(horizontal=True, gap="large"):
        for name, value in facts.items():
            st.metric(name, value, width="content")
    for note in digits.notes:
        st.caption(f":material/info: {note}")
    left, right = st.columns([3, 2])
    with left:
        st.header(_("Gallery"))
        seed = int(
            st.number_input(
                _("Sample"),
                0,
                9999,
                0,
                key="sample",
                bind="query-params",
                help=_("Change the number to see other images"),
            )
        )
        show_sheet(gallery.samples(digits.train, _EACH, seed), _("Rows of training images, one for each digit"))
    with right:
        st.header(_("Mean images"))
        show_sheet([means[:5], means[5:]], _("The mean image of each digit"))
        st.header(_("Balance"))
        st.plotly_chart(balance_chart(digits), width="stretch", alt=_("The number of images of each digit"))
    st.header(_("Augmentation"))
    st.write(_("Random distortions get more out of few images. The Train page uses the same sliders."))
    explore_augmentation(digits, seed)


frame.show(main)
