"""The pictures of a lesson, as HTML: a sketch of its symptom, the symptom in figures, and the place of the finding."""

from __future__ import annotations

from html import escape

import streamlit as st

from convnet_core.common.formatting import format_error
from convnet_core.dissect.lesson_stories import NONE, RIGHT, Story
from convnet_core.dissect.report import content
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.dissect.report.svg_graph import error_color
from convnet_core.dissect.report.symptom import Bar
from convnet_core.language import _

_GOOD, _BAD = "#009E73", "#D55E00"
_STYLE = """<style>
.lesson {display: grid; grid-template-columns: max-content 1fr max-content; gap: 0.35rem 0.75rem; align-items: center;
  font-size: 0.875rem}
.lesson.sketch {grid-template-columns: 1fr; gap: 0.1rem; max-width: 16rem}
.lesson .marks {display: grid; grid-template-columns: repeat(10, 1fr); gap: 2px}
.lesson .marks i {font-style: normal; height: 1.3rem; font-size: 0.7rem; line-height: 1.25rem; text-align: center;
  border-radius: 3px; border: 1px dashed color-mix(in srgb, currentColor 30%, transparent)}
.lesson .marks i[style] {border: 1px solid var(--mark); color: var(--mark);
  background: color-mix(in srgb, var(--mark) 14%, transparent)}
.lesson .track {height: 0.9rem; border-radius: 3px; background: color-mix(in srgb, currentColor 10%, transparent)}
.lesson .fill {height: 100%; border-radius: 3px; background: var(--mark)}
.place {display: flex; flex-wrap: wrap; gap: 0.35rem 0; align-items: center; font-size: 0.8rem}
.place .node {padding: 0.25rem 0.5rem; border-radius: 0.4rem; text-align: center; border: 2px solid var(--error)}
.place .node b {display: block}
.place .found {outline: 3px solid currentColor; outline-offset: 2px; margin: 0.3rem}
.place .arrow::before {content: "→"; padding: 0 0.2rem; opacity: 0.6}
</style>"""


def show_sketch(story: Story) -> None:
    """Ten answers in each of two rows: right, wrong or none."""
    rows = "".join(f"<span>{escape(_(label))}</span>{_marks(marks)}" for label, marks in story.picture)
    st.html(f'{_STYLE}<div class="lesson sketch" aria-hidden="true">{rows}</div>')


def _marks(marks: str) -> str:
    signs = ((mark, *(("✓", _GOOD) if mark == RIGHT else ("✗", _BAD))) for mark in marks)
    cells = ("<i></i>" if mark == NONE else f'<i style="--mark: {color}">{sign}</i>' for mark, sign, color in signs)
    return f'<span class="marks">{"".join(cells)}</span>'


def show_bars(bars: tuple[Bar, ...]) -> None:
    """A bar for each figure."""
    rows = "".join(f"<span>{escape(bar.label)}</span>{_bar(bar)}" for bar in bars)
    st.html(f'{_STYLE}<div class="lesson" data-testid="symptom">{rows}</div>')


def _bar(bar: Bar) -> str:
    sign, color = ("✓", _GOOD) if bar.fine else ("✗", _BAD)
    fill = f'<div class="fill" style="--mark: {color}; width: {100 * bar.share:.1f}%"></div>'
    return f'<div class="track">{fill}</div><span>{sign} {escape(bar.text)}</span>'


def show_place(report: DissectionReport, found: str, runtime: str) -> None:
    """The nodes in their order, each with its error in a runtime, or the largest of a float32 runtime where that has no
    value; the one that was found is marked.
    """
    largest, cells = content.errors(report), []
    for node in {node.name: node for node in reversed(report.nodes)}.values():  # the first of several outputs wins
        own = node.runtimes.get(runtime)
        error = own.whole.relative if own else largest.get(node.name)
        here = " found" if node.name == found else ""
        mark = ' aria-current="true"' if here else ""
        cells.append(
            f'<span class="node{here}"{mark} style="--error: {error_color(error)}" title="{escape(node.name)}">'
            f"<b>{escape(node.op)}</b>{format_error(error)}</span>"
        )
    st.html(f'{_STYLE}<div class="place" data-testid="place">{"<span class=arrow></span>".join(reversed(cells))}</div>')
