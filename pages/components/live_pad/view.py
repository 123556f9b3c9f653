"""A reading as what the component shows: plain JSON, with every word in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.common.formatting import format_percent
from convnet_core.errors import ConvNetError
from convnet_core.language import N_, _, plural
from convnet_core.runtimes.pool import Answer, RuntimePool, by_label
from pages.components.reading import Reading
from pages.components.remedy import in_the_app

WORDS = {
    "pad": N_(
        "The pad: draw a digit with the mouse, a finger, or the arrow keys; the space bar lowers and lifts the pen, a "
        "digit's key draws that digit, Ctrl+Z takes back a stroke, and Delete all"
    ),
    "examples": N_("Or take one"),
    "undo": N_("Undo"),
    "clear": N_("Clear"),
    "pen": N_("Pen"),
}

View = dict[str, Any]


def view_of(reading: Reading, pool: RuntimePool) -> View:
    """What the component shows: the digit, sentences about it, and a bar for each digit."""
    answers = reading.answers
    groups = by_label({name: int(answer.labels[0]) for name, answer in answers.items()})
    shown = bars(answers, next(iter(groups), None))
    view: View = {"digit": "", "title": "", "detail": "", "note": _note(pool), "bars": shown}
    view["words"] = {**{name: _(text) for name, text in WORDS.items()}, "bars": _bar_titles(shown)}
    view["runtimes"] = [
        _("{runtime} does not answer: {reason}", runtime=name, reason=reason) for name, reason in pool.failed.items()
    ]
    if pool.fault or (pool.names and len(pool.failed) == len(pool.names)):
        return {**view, "tone": "doubt", "digit": "–", "title": _("No runtime works"), "detail": _why(pool.fault)}
    if reading.error:
        return {
            **view,
            "tone": "doubt",
            "digit": "?",
            "title": _("Not sure"),
            "detail": _("{sentence}.", sentence=reading.error),
        }
    if reading.steps is None:
        return {**view, "tone": "blank", "digit": "–", "title": _("One digit, from 0 to 9")}
    if not answers:
        return {**view, "tone": "blank", "digit": "…", "title": _("The runtimes are loading")}
    first = next(iter(groups))
    share = float(np.mean([answer.probabilities[0, first] for answer in answers.values()]))
    if reading.doubt:
        detail = _("This does not look like one digit. The nearest one is {digit}.", digit=first)
        return {**view, "tone": "doubt", "digit": "?", "title": _("Not sure"), "detail": detail}
    view |= {"tone": "sure", "digit": str(first), "detail": _("{share} sure", share=format_percent(share))}
    if len(groups) > 1:
        lines = [_line(name, answer) for name, answer in answers.items()]
        return {**view, "title": _("The runtimes differ"), "runtimes": [*lines, *view["runtimes"]]}
    return {**view, "title": _agreement(first, len(answers), pool)}


def _agreement(digit: int, count: int, pool: RuntimePool) -> str:
    if pool.loading:
        return _("{count} of {all} runtimes are ready and read {digit}", count=count, all=len(pool.names), digit=digit)
    if pool.failed:
        return plural(
            "The working runtime reads {digit}", "The {count} working runtimes read {digit}", count, digit=digit
        )
    return plural("The runtime reads {digit}", "All {count} runtimes read {digit}", count, digit=digit)


def _line(name: str, answer: Answer) -> str:
    digit = int(answer.labels[0])
    share = format_percent(answer.probabilities[0, digit])
    return _("{runtime}: {digit}, {share}", runtime=name, digit=digit, share=share)


def _why(fault: ConvNetError | None) -> str:
    """A fault with its remedy, in one sentence."""
    if fault is None:
        return ""
    if fault.hint:
        return _("{fault}: {remedy}.", fault=fault, remedy=in_the_app(fault.hint))
    return _("{sentence}.", sentence=fault)


def _note(pool: RuntimePool) -> str:
    if pool.loading:
        return _(
            "Runtimes that are ready: {count} of {all}. The others are loading.",
            count=len(pool.ready),
            all=len(pool.names) or "…",
        )
    if pool.learning:
        return _("Learning what is no digit …")
    if pool.doubt_fault:
        return _(
            "Every mark is read as a digit, because learning what is none failed: {reason}", reason=pool.doubt_fault
        )
    return ""


def bars(answers: dict[str, Answer], best: int | None) -> list[View]:
    """For each digit the mean, lowest and highest probability of the runtimes, and whether it is the `best` one."""
    if not answers:
        return [{"mean": 0, "low": 0, "high": 0, "best": False} for _ in range(10)]
    shares = np.stack([answer.probabilities[0] for answer in answers.values()])
    mean, low, high = (each.round(4) for each in (shares.mean(0), shares.min(0), shares.max(0)))
    return [
        {"mean": float(mean[digit]), "low": float(low[digit]), "high": float(high[digit]), "best": digit == best}
        for digit in range(len(mean))
    ]


def _bar_titles(shown: list[View]) -> list[str]:
    return [
        _(
            "{digit}: {mean}; lowest {low}, highest {high}",
            digit=digit,
            **{name: format_percent(bar[name], 2) for name in ("mean", "low", "high")},
        )
        for digit, bar in enumerate(shown)
    ]
