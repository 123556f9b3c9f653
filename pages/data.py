"""Data: choose the digits, look at them, see what augmentation does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from convnet_core.config.stages import AugmentConfig, DataConfig
from convnet_core.data import gallery, mnist
from convnet_core.data.digits import Digits
from convnet_core.data.sources import source_of
from convnet_core.errors import ConvNetError
from convnet_core.events import Event, Monitor, Progress
from pages.charts import style as charts
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import digits, mean_images
from pages.forms import training as settings

_EACH = 16  # images of every digit in the gallery


def main() -> None:
    """The page, from top to bottom."""
    st.title("Data")
    st.write(
        "Choose the handwritten digits that networks are trained and tested on, and look at them before you train."
    )
    shared.digits_only("These images are for")
    config = settings.data(st.container())
    if config and (found := load(config)):
        show(found, mean_images(config))
        st.page_link("pages/train.py", label=f"Train on {Path(found.name).name}", icon=":material/model_training:")


class Bar(Monitor):
    """Progress of a download."""

    def __init__(self) -> None:
        self._bar = st.progress(0.0)

    def emit(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._bar.progress(min(1.0, event.done / max(1, event.total)), text=event.label)


def load(config: DataConfig) -> Digits | None:
    """The digits; None, with the reason and what to do shown, where they are not to be had."""
    try:
        if root := source_of(config).missing_in(config):
            st.info(f"MNIST is not in {root} yet.")
            if not st.button("Download MNIST, 12 MB", type="primary", icon=":material/download:"):
                return None
            mnist.download(root, Bar())
            st.rerun()
        return digits(config)
    except ConvNetError as error:
        jobs.explain(error)
        return None


def balance(digits: Digits) -> go.Figure:
    """How many images there are of each digit."""
    splits = (("training", digits.train), ("test", digits.test))
    series = tuple((name, tuple(range(10)), tuple(gallery.counts(split))) for name, split in splits)
    return charts.bars(series, "digit", "images", height=300)


def augmented(digits: Digits, config: AugmentConfig, seed: int) -> None:
    """The first image of each digit, and distorted versions of it."""
    originals = np.concatenate([row[:1] for row in gallery.samples(digits.train, 1, seed)])
    rows = [originals]
    if config:
        from convnet_core.data.augment import augment_array as distorted

        rows += [distorted(originals, config, seed + number) for number in range(5)]
        st.caption("First row: as they are. Below: five random distortions of each; every epoch draws new ones.")
    else:
        st.caption("No augmentation: every epoch shows the images as they are. Move a slider to see what it does.")
    st.image(gallery.sheet(rows, enlarge=3))


@st.fragment
def play_with_augmentation(digits: Digits, seed: int) -> None:
    """The sliders and what they do; the Train page takes them over."""
    augmented(digits, settings.augmentation(st.container()), seed)


def show(digits: Digits, means: gallery.Picture) -> None:
    """Everything about a data set."""
    facts: dict[str, Any] = {
        "Training images": f"{len(digits.train):,}",
        "Test images": f"{len(digits.test):,}",
        "SHA-256": digits.fingerprint[:12],
    }
    with st.container(horizontal=True, gap="large"):
        for name, value in facts.items():
            st.metric(name, value, width="content")
    for note in digits.notes:
        st.caption(f":material/info: {note}")
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Gallery")
        seed = int(
            st.number_input(
                "Sample", 0, 9999, 0, key="sample", bind="query-params", help="Another number shows other images"
            )
        )
        st.image(gallery.sheet(gallery.samples(digits.train, _EACH, seed)))
    with right:
        st.subheader("Mean images")
        st.image(gallery.sheet([means[:5], means[5:]]))
        st.subheader("Balance")
        st.plotly_chart(balance(digits), width="stretch")
    st.subheader("Augmentation")
    st.write("Random distortions make more of few images. The Train page uses the same sliders.")
    play_with_augmentation(digits, seed)


frame.show(main)
