"""A reading as what the component shows: plain JSON, with every word in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.errors import ConvNetError
from convnet_core.runtimes.pool import Answer, RuntimePool, by_label
from pages.components.reading import Reading
from pages.components.remedy import in_the_app

WORDS = {
    "pad": "The pad: draw a digit with the mouse, a finger, or the arrow keys; the space bar lowers and lifts the pen, "
    "a digit's key draws that digit, Ctrl+Z takes back a stroke, and Delete all",
    "examples": "Or take one",
    "undo": "Undo",
    "clear": "Clear",
    "pen": "Pen",
}

View = dict[str, Any]


def view_of(reading: Reading, pool: RuntimePool) -> View:
    """What the component shows: the digit, sentences about it, and a bar for each digit."""
    answers = reading.answers
    groups = by_label({name: int(answer.labels[0]) for name, answer in answers.items()})
    shown = bars(answers, next(iter(groups), None))
    view: View = {"digit": "", "title": "", "detail": "", "note": _note(pool), "bars": shown}
    view["words"] = {**WORDS, "bars": _bar_titles(shown)}
    view["runtimes"] = [f"{name} does not answer: {reason}" for name, reason in pool.failed.items()]
    if pool.fault or (pool.names and len(pool.failed) == len(pool.names)):
        return {**view, "tone": "doubt", "digit": "–", "title": "No runtime works", "detail": _why(pool.fault)}
    if reading.error:
        return {**view, "tone": "doubt", "digit": "?", "title": "Not sure", "detail": f"{reading.error}."}
    if reading.steps is None:
        return {**view, "tone": "blank", "digit": "–", "title": "One digit, from 0 to 9"}
    if not answers:
        return {**view, "tone": "blank", "digit": "…", "title": "The runtimes are loading"}
    first = next(iter(groups))
    share = float(np.mean([answer.probabilities[0, first] for answer in answers.values()]))
    if reading.doubt:
        detail = f"This does not look like one digit. The nearest one is {first}."
        return {**view, "tone": "doubt", "digit": "?", "title": "Not sure", "detail": detail}
    view |= {"tone": "sure", "digit": str(first), "detail": f"{100 * share:.1f} % sure"}
    if len(groups) > 1:
        lines = [_line(name, answer) for name, answer in answers.items()]
        return {**view, "title": "The runtimes differ", "runtimes": [*lines, *view["runtimes"]]}
    return {**view, "title": _agreement(first, len(answers), pool)}


def _agreement(digit: int, count: int, pool: RuntimePool) -> str:
    if pool.loading:
        return f"{count} of {len(pool.names)} runtimes are ready and read {digit}"
    if pool.failed:
        return f"The {count} working runtimes read {digit}"
    return f"All {count} runtimes read {digit}"


def _line(name: str, answer: Answer) -> str:
    digit = int(answer.labels[0])
    return f"{name}: {digit}, {100 * answer.probabilities[0, digit]:.1f} %"


def _why(fault: ConvNetError | None) -> str:
    """A fault with its remedy, in one sentence."""
    if fault is None:
        return ""
    return f"{fault}: {in_the_app(fault.hint)}." if fault.hint else f"{fault}."


def _note(pool: RuntimePool) -> str:
    if pool.loading:
        return f"Runtimes that are ready: {len(pool.ready)} of {len(pool.names) or '…'}. The others are loading."
    if pool.learning:
        return "Learning what is no digit …"
    if pool.doubt_fault:
        return f"Every mark is read as a digit, because learning what is none failed: {pool.doubt_fault}"
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
        f"{digit}: {100 * bar['mean']:.2f} %; lowest {100 * bar['low']:.2f} %, highest {100 * bar['high']:.2f} %"
        for digit, bar in enumerate(shown)
    ]
