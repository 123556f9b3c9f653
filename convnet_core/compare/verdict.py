"""The verdict of a comparison in words. Light: pages that show it do not load NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.common.formatting import format_error, format_least_share, format_share, join_words
from convnet_core.compare.report_file import Report, RuntimeLine
from convnet_core.runtimes.specs import spec_of


def sentence(report: Report, not_compared: Sequence[str] = ()) -> str:
    """The verdict of a report in one sentence; it only claims what was judged.

    `not_compared` are the converters whose files were made after the comparison (`converters.not_compared`).
    """
    reference, lines = report.reference, report.runtimes
    agreeing = [line.name for line in lines if line.passed and line.judged]
    failed = [line.name for line in lines if not line.passed]
    others = [name for name in failed if name != reference]
    unjudged: dict[str, list[str]] = {}
    for line in lines:
        if line.passed and not line.judged:
            unjudged.setdefault(line.reason, []).append(line.name)
    every = "all " if len(agreeing) == len(lines) > 2 and not (report.not_made or not_compared) else ""
    parts = [f"{every}{len(agreeing)} {'runtime agrees' if len(agreeing) == 1 else 'runtimes agree'}"]
    if others:
        parts.insert(0, f"{join_words(others)} {'disagrees' if len(others) == 1 else 'disagree'} with {reference}")
    if reference in failed:
        parts.insert(0, f"{reference} does not repeat its own answers")
    for reason, names in unjudged.items():
        parts.append(f"{join_words(names)} {'was' if len(names) == 1 else 'were'} not judged ({reason})")
    if missing := report.not_made:
        parts.append(f"{join_words(missing)} {'was' if len(missing) == 1 else 'were'} not made")
    if not_compared:
        parts.append(f"what {join_words(not_compared)} made was not compared")
    return "; ".join(parts)


def agreement(report: Report) -> str:
    """How many runtimes give every image of the test set the reference's label; empty if there are no labels."""
    others = [line for line in report.runtimes if line.name != report.reference]
    shares = [line.label_agreement for line in others if line.label_agreement is not None]
    if not shares:
        return ""
    equal = sum(share == 1 for share in shares)
    if equal == len(shares):
        return f"Every runtime gives every test digit {report.reference}'s label"
    return (
        f"{equal} of {len(shares)} runtimes give every test digit {report.reference}'s label; the lowest share of "
        f"equal labels is {format_least_share(min(shares))}"
    )


def basis(report: Report, line: RuntimeLine) -> str:
    """What a runtime's verdict rests on, in a few words."""
    if not line.judged:
        return f"not judged: {line.reason}"
    tolerance, precision = report.tolerance, spec_of(line.name).precision
    labels = {"float16": tolerance.fp16, "int8": tolerance.int8}.get(precision)
    if labels is None:
        return f"error ≤ {tolerance.atol:g} + {tolerance.rtol:g} × output"
    return f"labels: {format_share(line.label_agreement)} equal, {100 * labels.label_agreement:g} % needed"


def explanations(report: Report) -> list[str]:
    """What surprises in the numbers of this report, a sentence each."""
    sentences = []
    depends_on_batch = any(not line.judged for line in report.results if line.runtime == report.reference)
    for line in report.runtimes:
        error = line.max_abs_error
        if line.name == report.reference and line.passed and error and not depends_on_batch:
            sentences.append(
                f"{line.name} differs from itself by up to {format_error(error)}: with another batch size it adds the "
                "same products in another order, and float32 rounds after each addition."
            )
    for precision, rounding in _ROUNDING.items():
        passed = [line for line in report.runtimes if line.passed and line.judged]
        if passed := [line for line in passed if spec_of(line.name).precision == precision]:
            errors = [line.max_abs_error for line in passed if line.max_abs_error is not None]
            labels = [line.label_agreement for line in passed if line.label_agreement is not None]
            names = f"{join_words([line.name for line in passed])} {'is' if len(passed) == 1 else 'are'}"
            sentences.append(
                f"{names} judged by labels, not by the error: {rounding} moves outputs by up to "
                f"{format_error(max(errors, default=None))}, and "
                f"{format_least_share(min(labels, default=None))} of the labels stay the same."
            )
    if unjudged := [line.name for line in report.runtimes if line.reason == NO_LABELS]:
        sentences.append(f"{join_words(unjudged)} would be judged by labels, and these inputs have none.")
    return sentences


NO_LABELS = "no labels"
"""Why a runtime that is judged by labels was not judged."""
_ROUNDING = {"float16": "rounding to 11 bits", "int8": "rounding to 8 bits"}
