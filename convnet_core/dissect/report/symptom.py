"""What a user of a lesson's files would notice, in figures of this network. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from convnet_core.common.formatting import format_percent
from convnet_core.dissect.lesson_stories import STORIES
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.language import _, plural
from convnet_core.runtimes.specs import LITERT_FP32, LITERT_INT8, ONNX_RUNTIME, PYTORCH, TENSORFLOW, spec_of

_SHOWN = tuple(spec.name for spec in (PYTORCH, TENSORFLOW, LITERT_FP32, LITERT_INT8))
"""The runtimes whose figures a symptom shows, in this order."""


@dataclass(frozen=True)
class Bar:
    """A figure: its label, the share of its bar that is filled, the figure in words, and whether it is good."""

    label: str
    share: float
    text: str
    fine: bool


@dataclass(frozen=True)
class Symptom:
    """The figures of a symptom, and what they measure."""

    title: str
    bars: tuple[Bar, ...]
    flipped: tuple[tuple[int, int, int], ...] = ()
    """Samples with another label: the position in the test set, the reference's label, and that of the runtime where
    the symptom is seen."""


def symptom_of(report: DissectionReport, accuracy: float | None = None) -> Symptom:
    """The symptom in a lesson's dissection. `accuracy` is that of the run's own training, None if it has none."""
    lesson = report.config.lesson
    if lesson == "frozen-batch":
        return Symptom(_("ONNX Runtime, by the number of images at once"), tuple(_batches(report)))
    if lesson == "train-mode":
        return Symptom(_("How far the scores are from PyTorch's, by images at once"), tuple(_scores(report)))
    if lesson in ("epsilon", "opset"):
        return Symptom(_("Same answer as ONNX Runtime"), tuple(_agreement(report)), _flipped(report))
    if lesson == "not-scaled":
        return Symptom(_("Digits read"), tuple(_accuracies(report, accuracy)))
    return Symptom(_("Digits read"), tuple(_accuracies(report, None)), _flipped(report))


def _batches(report: DissectionReport) -> Iterable[Bar]:
    for item in report.sweep:
        if item.runtime == ONNX_RUNTIME.name:
            text = _("refused") if item.fault else _("works")
            yield Bar(_images(item.batch), float(not item.fault), text, not item.fault)


def _scores(report: DissectionReport) -> Iterable[Bar]:
    items = (item for item in report.sweep if item.runtime == PYTORCH.name)
    errors = {item.batch: item.error for item in items if item.error is not None}
    for batch, error in errors.items():
        text = _("{share} of their range", share=format_percent(error))
        yield Bar(_images(batch), min(1.0, error), text, error < 2 * min(errors.values()))


def _agreement(report: DissectionReport) -> Iterable[Bar]:
    for name in _SHOWN:
        if name in report.labels:
            share = report.labels[name].agreement
            yield Bar(spec_of(name).title, share, format_percent(share), share >= _SAME)
        else:
            yield Bar(spec_of(name).title, 0.0, _("no file"), False)


def _accuracies(report: DissectionReport, accuracy: float | None) -> Iterable[Bar]:
    known = {name: labels.accuracy for name, labels in report.labels.items() if labels.accuracy is not None}
    if accuracy is not None:
        yield Bar(_("in training"), accuracy, format_percent(accuracy), True)
    best = max([*known.values(), accuracy or 0.0])
    for name in _SHOWN:
        if name in known:
            yield Bar(spec_of(name).title, known[name], format_percent(known[name]), known[name] > best - _NOTICED)


_NOTICED, _SAME = 0.02, 0.99
"""The loss of accuracy that a user would notice, and the share of equal answers that int8 rounding explains."""


def _images(count: int) -> str:
    return plural("{count} image", "{count} images", count)


def _flipped(report: DissectionReport) -> tuple[tuple[int, int, int], ...]:
    """Samples that the runtime of the symptom answers differently from the reference."""
    labels = report.labels.get(STORIES[report.config.lesson].seen_in)
    if labels is None:
        return ()
    pairs = zip(labels.examples, labels.answers, strict=False)
    return tuple((index, before, after) for index, (before, after) in pairs if str(index) in report.samples)
