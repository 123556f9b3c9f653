"""What is behind an answer: the steps from the picture to the network, its first layer, and every runtime's numbers."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from convnet_core.data import drawing_pictures
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import Answer, Difference, RuntimePool, by_label, largest_difference
from pages.charts import style as charts
from pages.components.kept_drawings import save_form
from pages.components.reading import Reading

_PICTURE = 140  # width of a picture, in pixels


def show_details(reading: Reading, run: Run, pool: RuntimePool) -> None:
    """Show what is behind a reading, folded; nothing if there is none."""
    if reading.steps is None or reading.picture is None or not reading.answers:
        return
    with st.expander(_("What the network sees"), icon=":material/visibility:"):
        show_steps(reading)
        show_feature_maps(reading, pool)
    with st.expander(_("Every runtime"), icon=":material/balance:"):
        show_runtimes(reading.answers, pool.names)
    with st.expander(_("Save it as a test case"), icon=":material/bookmark_add:"):
        labels = {name: int(answer.labels[0]) for name, answer in reading.answers.items()}
        save_form(run, reading.picture, next(iter(by_label(labels))))


def show_steps(reading: Reading) -> None:
    """Show the steps from the picture to the network's input."""
    assert reading.picture is not None
    assert reading.steps is not None
    prepared = reading.steps
    with st.container(horizontal=True, key="reading-steps"):
        for picture, caption in (
            (drawing_pictures.show_box(reading.picture, prepared.source_box, _PICTURE), _("Ink bounding box")),
            (drawing_pictures.show_centering(prepared, _PICTURE), _("Evened, centered")),
            (drawing_pictures.enlarge(prepared.image, _PICTURE), _("Network input")),
        ):
            st.image(picture, caption, width=_PICTURE, alt=caption)


def show_feature_maps(reading: Reading, pool: RuntimePool) -> None:
    """Show the first layer's feature maps, once PyTorch is loaded."""
    assert reading.steps is not None
    maps = pool.features(reading.steps.image[None, None])
    if maps is not None:
        channels, height, width = maps.shape[1:]
        st.caption(
            plural(
                "The {count} feature map of {size} after layer1 in PyTorch; brighter is stronger.",
                "The {count} feature maps of {size} after layer1 in PyTorch; brighter is stronger.",
                channels,
                size=f"{height} × {width}",
            )
        )
        st.image(drawing_pictures.feature_grid(maps[0]), alt=_("The feature maps"))


def show_runtimes(answers: dict[str, Answer], names: tuple[str, ...]) -> None:
    """Show what each runtime reads, its probabilities, and the largest differences between runtimes."""
    st.markdown(" ".join(f":gray-badge[{name}: {int(answer.labels[0])}]" for name, answer in answers.items()))
    probability = largest_difference({name: answer.probabilities for name, answer in answers.items()})
    logit = largest_difference({name: answer.logits for name, answer in answers.items()})
    if probability and logit:
        st.markdown(
            _(
                "Largest difference in probability: **{points} points**, {where}",
                points=f"{100 * probability.value:.2g}",
                where=_between(probability),
            )
            + "  \n"
            + _("Largest |Δlogit|: **{value}**, {where}", value=f"{logit.value:.1e}", where=_between(logit))
        )
    alt = _("The probability of each digit, by runtime")
    st.plotly_chart(bars(answers, names), width="stretch", key="probabilities", alt=alt)


def _between(difference: Difference) -> str:
    return _(
        "digit {digit}, between {higher} and {lower}",
        digit=difference.label,
        higher=difference.higher,
        lower=difference.lower,
    )


def bars(answers: dict[str, Answer], names: tuple[str, ...]) -> go.Figure:
    """A chart of each digit's probability, with a bar for each runtime."""
    figure = go.Figure()
    for name in names:
        if name in answers:
            shares = 100 * answers[name].probabilities[0]
            figure.add_bar(
                x=list(range(len(shares))),
                y=shares,
                name=name,
                marker=charts.bar_of(name),
                hovertemplate="%{fullData.name}: %{y:.2f} %<extra></extra>",
            )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[0, 100])
    charts.style_figure(figure, _("digit"), _("probability, %"), height=300, hovermode="x unified")
    return figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})
