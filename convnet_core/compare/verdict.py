"""The verdict of a comparison in words. Light: pages that show it do not load NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.common.formatting import (
    format_error,
    format_least_share,
    format_share,
    join_clauses,
    join_words,
)
from convnet_core.compare.report_file import Report, RuntimeLine
from convnet_core.language import _, plural
from convnet_core.runtimes.specs import spec_of


def verdict_word(report: Report) -> str:
    """The verdict in a word."""
    return _("agree") if report.agree else _("disagree")


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
    parts = [plural("{count} runtime agrees", "{count} runtimes agree", len(agreeing))]
    if len(agreeing) == len(lines) > 2 and not (report.not_made or not_compared):
        parts = [_("all {count} runtimes agree", count=len(agreeing))]
    if others:
        parts.insert(
            0,
            plural(
                "{names} disagrees with {reference}",
                "{names} disagree with {reference}",
                len(others),
                names=join_words(others),
                reference=reference,
            ),
        )
    if reference in failed:
        parts.insert(0, _("{reference} does not repeat its own answers", reference=reference))
    for reason, names in unjudged.items():
        parts.append(
            plural(
                "{names} was not judged ({reason})",
                "{names} were not judged ({reason})",
                len(names),
                names=join_words(names),
                reason=reason,
            )
        )
    if missing := report.not_made:
        parts.append(plural("{names} was not made", "{names} were not made", len(missing), names=join_words(missing)))
    if not_compared:
        parts.append(_("what {converters} made was not compared", converters=join_words(not_compared)))
    return join_clauses(parts)


def agreement(report: Report) -> str:
    """How many runtimes give every image of the test set the reference's label; empty if there are no labels."""
    others = [line for line in report.runtimes if line.name != report.reference]
    shares = [line.label_agreement for line in others if line.label_agreement is not None]
    if not shares:
        return ""
    equal = sum(share == 1 for share in shares)
    if equal == len(shares):
        return _("Every runtime gives every test digit {reference}'s label", reference=report.reference)
    return plural(
        "{count} of {total} runtimes gives every test digit {reference}'s label; the lowest share of equal labels is "
        "{share}",
        "{count} of {total} runtimes give every test digit {reference}'s label; the lowest share of equal labels is "
        "{share}",
        equal,
        total=len(shares),
        reference=report.reference,
        share=format_least_share(min(shares)),
    )


def basis(report: Report, line: RuntimeLine) -> str:
    """What a runtime's verdict rests on, in a few words."""
    if not line.judged:
        return _("not judged: {reason}", reason=line.reason)
    tolerance, precision = report.tolerance, spec_of(line.name).precision
    labels = {"float16": tolerance.fp16, "int8": tolerance.int8}.get(precision)
    if labels is None:
        return _("error ≤ {atol:g} + {rtol:g} × output", atol=tolerance.atol, rtol=tolerance.rtol)
    return _(
        "labels: {share} equal, {percent:g} % needed",
        share=format_share(line.label_agreement),
        percent=100 * labels.label_agreement,
    )


def explanations(report: Report) -> list[str]:
    """What surprises in the numbers of this report, a sentence each."""
    sentences = []
    depends_on_batch = any(not line.judged for line in report.results if line.runtime == report.reference)
    for line in report.runtimes:
        error = line.max_abs_error
        if line.name == report.reference and line.passed and error and not depends_on_batch:
            sentences.append(
                _(
                    "{runtime} differs from itself by up to {error}: with another batch size it adds the same products "
                    "in another order, and float32 rounds after each addition.",
                    runtime=line.name,
                    error=format_error(error),
                )
            )
    for precision, bits in _BITS.items():
        passed = [line for line in report.runtimes if line.passed and line.judged]
        if passed := [line for line in passed if spec_of(line.name).precision == precision]:
            errors = [line.max_abs_error for line in passed if line.max_abs_error is not None]
            labels = [line.label_agreement for line in passed if line.label_agreement is not None]
            sentences.append(
                plural(
                    "{names} is judged by labels, not by the error: rounding to {bits} bits moves outputs by up to "
                    "{error}, and {share} of the labels stay the same.",
                    "{names} are judged by labels, not by the error: rounding to {bits} bits moves outputs by up to "
                    "{error}, and {share} of the labels stay the same.",
                    len(passed),
                    names=join_words([line.name for line in passed]),
                    bits=bits,
                    error=format_error(max(errors, default=None)),
                    share=format_least_share(min(labels, default=None)),
                )
            )
    unjudged = [line.name for line in report.runtimes if not line.judged and spec_of(line.name).precision in _BITS]
    if unjudged:
        sentences.append(
            _("{names} would be judged by labels, and these inputs have none.", names=join_words(unjudged))
        )
    return sentences


_BITS = {"float16": 11, "int8": 8}
"""How many bits of a number a runtime keeps that is judged by labels."""
