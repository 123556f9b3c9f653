"""The charts on the pages."""

import base64
import dataclasses
import re
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from convnet_core.events import Metrics
from pages.charts import live_curves
from pages.charts import style as charts
from pages.charts import training_curves as curves
from tests.conftest import python


def test_a_chart_waits_while_another_session_imports_pandas():
    python("""
import sys, threading, time
loading = threading.Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "pandas.core":
            loading.set()
            time.sleep(1)
sys.meta_path.insert(0, Slow())
threading.Thread(target=lambda: __import__("pandas")).start()
loading.wait()
from pages.charts import style
import plotly.graph_objects as go
go.Bar(x=[1], hovertemplate="%{x}")
""")


def test_per_digit_shares_and_bar_charts():
    counts = ((8, 2, 0), (0, 5, 5), (0, 0, 0))
    figure = charts.per_digit(counts)
    assert list(figure.data[0].y) == [80, 50, 0]
    assert figure.layout.yaxis.range == (0, 100)
    figure = charts.bars((("training", (0, 1), (3, 4)), ("test", (0, 1), (1, 2))), "digit", "images", height=300)
    assert [(bar.name, list(bar.y)) for bar in figure.data] == [("training", [3, 4]), ("test", [1, 2])]
    assert figure.layout.xaxis.dtick == 1


def test_confusion_matrix_has_no_grid_and_follows_the_theme():
    for dark, color in ((False, "rgb(247,251,255)"), (True, "#1B2733")):
        figure = charts.confusion(((5, 0), (0, 6)), "says", "is", hide_diagonal=True, dark=dark)
        for axis in (figure.layout.xaxis, figure.layout.yaxis):
            assert (axis.showgrid, axis.zeroline) == (False, False)
        assert figure.data[0].colorscale[0][1] == color
        assert figure.data[0].colorbar.title.text == "images"


@pytest.fixture
def figures(monkeypatch):
    """The figures that the test shows, in order."""
    shown = []
    monkeypatch.setattr(curves.st, "plotly_chart", lambda figure, **_: shown.append(figure))
    return shown


def test_curve_names_appear_above_the_curves(figures):
    curves.show_curves({"run": course(1)})
    titles = ["loss by epoch, ◆ validation", "accuracy by epoch in %, ◆ validation"]
    assert [figure.layout.title.text for figure in figures] == titles
    assert not any(figure.layout.yaxis.title.text for figure in figures)


def test_a_figure_is_built_once_and_drawing_does_not_change_it():
    def page():
        import streamlit as st

        from pages.charts import style as charts

        st.plotly_chart(charts.confusion(((5, 1), (0, 6)), "says", "is"))

    figure = charts.confusion(((5, 1), (0, 6)), "says", "is")
    before = figure.to_json()
    assert not AppTest.from_function(page, default_timeout=60).run().run().exception
    assert charts.confusion(((5, 1), (0, 6)), "says", "is") is figure
    assert figure.to_json() == before


def course(step):
    return [
        Metrics(
            epoch=0.5,
            step=step,
            total_steps=100,
            loss=1.0,
            accuracy=0.5,
            learning_rate=0.1,
            images_per_second=9.0,
            seconds_left=1.0,
        ),
    ]


def test_the_levels_of_guessing_and_of_label_smoothing_are_drawn_where_they_matter(figures):
    def notes(**changes):
        curves.show_curves({"run": [dataclasses.replace(course(1)[0], **changes)]}, 0.1)
        return [note.text for figure in figures[-2:] for note in figure.layout.annotations]

    assert notes(accuracy=0.9) == ["no training loss below 0.50 with label smoothing"]
    assert notes(accuracy=0.1, loss=2.2) == ["no training loss below 0.50 with label smoothing", "guessing: 10 %"]
    assert notes(accuracy=0.1, loss=99.0) == ["guessing: 10 %"]


def test_live_curves_draw_every_run_up_to_the_end_of_the_training(monkeypatch):
    """A training at step 50 of 100 fills half the width; a run before it is drawn beneath, thinner."""
    pages = []
    monkeypatch.setattr(live_curves.st, "html", pages.append)
    first, second = course(10)[0], dataclasses.replace(course(50)[0], epoch=2.5, loss=0.5, validation_loss=0.4)
    live_curves.show_live_curves({"live": [first, second], "<b>": course(100)}, 0.1)
    loss, accuracy = map(base64.b64decode, re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', pages[0]))
    lines = [element for element in ElementTree.fromstring(loss).iter() if element.tag.endswith("polyline")]
    assert [line.get("stroke-width") for line in lines] == ["1.2", "2.5"]
    width = live_curves._WIDTH - live_curves._LEFT - live_curves._RIGHT
    (x, high), (end, low) = (map(float, point.split(",")) for point in lines[1].get("points").split())
    assert (x, end) == pytest.approx((live_curves._LEFT + width * 0.1, live_curves._LEFT + width * 0.5))
    assert low - high == pytest.approx(0.5 * (live_curves._HEIGHT - live_curves._TOP - live_curves._BOTTOM))
    assert b"no training loss below 0.50" in loss
    assert ElementTree.fromstring(accuracy) is not None
    assert "&lt;b&gt;" in pages[0]
    assert "<b>" not in pages[0]


@pytest.mark.parametrize(
    ("span", "step"), [(100.0, 20), (2.4, 0.5), (1.0, 0.2), (5.0, 1), (0.93, 0.2), (10.0, 2), (30.0, 10), (0.05, 0.01)]
)
def test_an_axis_has_three_to_six_ticks(span, step):
    assert live_curves._tick_step(span) == pytest.approx(step)
