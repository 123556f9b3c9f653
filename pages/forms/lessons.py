"""Lessons: a gallery of faults to find, and the story of each: the symptom, a guess, the finding, the fix.

The address names the lesson, so that a link opens it: `dissect?lesson=epsilon`, and `lesson=all` for the gallery.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from convnet_core.common.formatting import format_duration
from convnet_core.config.flags import arguments
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect import cost
from convnet_core.dissect.lesson_stories import STORIES, Story
from convnet_core.dissect.report import content
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.dissect.report.symptom import symptom_of
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import TrainingResult
from pages.components import job_area as jobs
from pages.components import lesson_answers as answers
from pages.components import lesson_pictures as pictures
from pages.components import run_state as shared
from pages.components.markdown import escape
from pages.components.picture_grid import Picture, show_pictures
from pages.components.remedy import in_the_app
from pages.forms.dissection import size_of

NAME = "lesson"
_RUN, _ALL = "none", "all"
_MOST_FLIPPED = 6
Read = Callable[[str], DissectionReport]
ShowDetails = Callable[[Run, str, DissectionReport], None]


def choose_view() -> str:
    """A switch between the run's dissection and the lessons. Returns the lesson, "all" for the gallery, or "none"."""
    lesson = st.query_params.get(NAME, _RUN)
    lesson = lesson if lesson in (_ALL, *STORIES) else _RUN
    st.session_state["dissect-view"] = _RUN if lesson == _RUN else _ALL
    titles = {_RUN: _("This run"), _ALL: _("Lessons")}
    st.segmented_control(
        _("What to show"),
        list(titles),
        format_func=titles.__getitem__,
        required=True,
        key="dissect-view",
        on_change=_switch,
        label_visibility="collapsed",
    )
    return lesson


def _switch() -> None:
    open_lesson(st.session_state["dissect-view"])


def open_lesson(name: str) -> None:
    """Open a lesson, the gallery ("all") or the run's own dissection ("none")."""
    if name == _RUN:
        st.query_params.pop(NAME, None)
    else:
        st.query_params[NAME] = name


def show(run: Run, lesson: str, read: Read, show_details: ShowDetails) -> None:
    """Show the gallery or a lesson. `read` returns the report of a stage, and `show_details` shows all of it."""
    if shared.warn_if_imported(_("Lessons need a network that reads digits.")):
        return
    answers.follow()
    if lesson == _ALL:
        _show_gallery()
    else:
        number = list(STORIES).index(lesson) + 1
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(_("Lesson {number} of {count}", number=number, count=len(STORIES)))
            icon = ":material/grid_view:"
            st.button(_("All lessons"), icon=icon, type="tertiary", on_click=open_lesson, args=(_ALL,))
        _show_story(run, lesson, read, show_details)
    if st.session_state.get("lesson in sight") != lesson:
        st.session_state["lesson in sight"] = lesson
        _start_at_the_top(lesson)


def _start_at_the_top(lesson: str) -> None:
    """Scroll up: to Streamlit it is the same page, so it would stay where the last lesson ended."""
    script = f"document.querySelector('[data-testid=stMain]').scrollTo(0, 0)  // {lesson}"
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


def _show_gallery() -> None:
    """A card for each lesson."""
    st.write(
        _(
            "Eight mistakes that people make when they convert a network. Each lesson puts one into a copy of this "
            "run: see what it does, guess the cause, and read what the dissection found. The run itself stays as it is."
        )
    )
    with st.grid(4, border=True, key="lessons") as grid:
        for number, (name, story) in enumerate(STORIES.items(), 1):
            with grid.cell():
                _show_card(number, name, story)


def _show_card(number: int, name: str, story: Story) -> None:
    mark = ":green[:material/check_circle:] " if answers.is_right(name) else ""
    st.markdown(f"{mark}**{_('Lesson {number}', number=number)}**")
    pictures.show_sketch(story)
    st.container(height="stretch").markdown(_(story.symptom))
    st.button(
        _("Open lesson {number}", number=number),
        icon=":material/arrow_forward:",
        key=f"open {name}",
        on_click=open_lesson,
        args=(name,),
    )


def _show_story(run: Run, lesson: str, read: Read, show_details: ShowDetails) -> None:
    """The four steps; each stands there once the one before is done."""
    story, stage = STORIES[lesson], content.stage_of(lesson)
    st.header(_(story.symptom), anchor=False)
    st.markdown(f"## {_('1. The symptom')}")
    if jobs.show_job(run, stage, head=_about_job):
        return
    if run.state(stage).state != "fresh":
        pictures.show_sketch(story)
        _make(run, lesson)
        return
    report = read(stage)
    _show_symptom(run, report)
    st.markdown(f"## {_('2. Your guess')}")
    if not _ask(lesson, story):
        return
    st.markdown(f"## {_('3. The finding')}")
    _show_finding(run, stage, report, show_details)
    st.markdown(f"## {_('4. The fix')}")
    _show_fix(run, stage, report)
    _show_next(lesson)


def _about_job(progress: JobProgress) -> None:
    st.caption(_("A copy of the run gets the fault, and every runtime runs it."))


def _make(run: Run, lesson: str) -> None:
    """Offer to make the lesson."""
    config = DissectConfig.from_json({"lesson": lesson})
    st.caption(
        _(
            "How much of this does this run's network show? The lesson puts the fault into a copy of the run and "
            "dissects it, in about {duration}.",
            duration=format_duration(cost.seconds(config, size_of(run))),
        )
    )
    jobs.start_button(
        _("Show it on this network"),
        lambda: run,
        ["dissect", *arguments(config, DissectConfig())],
        type="primary",
        icon=":material/play_arrow:",
    )


def _show_symptom(run: Run, report: DissectionReport) -> None:
    """The symptom in figures of this network, and digits that are read differently."""
    record = run.record("train")
    symptom = symptom_of(report, record.result_as(TrainingResult).test_accuracy if record else None)
    left, right = st.columns(2, gap="large") if symptom.flipped else (st.container(width=640), None)
    with left:
        st.caption(symptom.title)
        pictures.show_bars(symptom.bars)
    if right is None:
        return
    with right:
        st.caption(_("What ONNX Runtime reads, and what is read instead"))
        show_pictures(_picture(report, *sample) for sample in symptom.flipped[:_MOST_FLIPPED])


def _picture(report: DissectionReport, index: int, before: int, after: int) -> Picture:
    alt = _("A digit: ONNX Runtime reads {before}, now {after}", before=before, after=after)
    return Picture(f"data:image/png;base64,{report.samples[str(index)]}", alt, f"{before} → {after}")


def _ask(lesson: str, story: Story) -> bool:
    """Let the reader guess, and answer; returns whether the cause is known now."""
    key = f"guess {lesson}"
    st.radio(
        _("What is the cause?"),
        range(len(story.causes)),
        index=answers.guess_of(lesson),
        format_func=lambda place: _(story.causes[place].text),
        key=key,
        on_change=lambda: answers.guess(lesson, st.session_state[key]),
    )
    guess = answers.guess_of(lesson)
    if answers.is_skipped(lesson):
        cause = story.causes[story.right]
        st.info(f"**{_(cause.text)}**\n\n{_(cause.reply)}", icon=":material/lightbulb:")
        return True
    if guess is not None:
        reply = _(story.causes[guess].reply)
        if guess == story.right:
            st.success(f"**{_('Right')}**\n\n{reply}", icon=":material/check_circle:")
            return True
        st.warning(f"**{_('Not this one')}**\n\n{reply}", icon=":material/close:")
    label = _("Skip the guess") if guess is None else _("Show me the cause")
    st.button(label, type="tertiary", icon=":material/skip_next:", on_click=answers.skip, args=(lesson,))
    return False


def _show_finding(run: Run, stage: str, report: DissectionReport, show_details: ShowDetails) -> None:
    """What the dissection found, where, and all that it measured."""
    if not report.findings:
        st.warning(_("The dissection found nothing: this network hides the fault."))
    for finding in report.findings[:1]:
        st.error(escape(finding.text), icon=":material/bug_report:")
    if (more := len(report.findings) - 1) > 0:
        st.caption(plural("And {count} more node with it.", "And {count} more nodes with it.", more))
    node = next((finding.node for finding in report.findings), "")
    st.caption(_("The nodes in order, each with its error as a fraction of the value's range."))
    pictures.show_place(report, node, STORIES[report.config.lesson].seen_in)
    if node:
        st.caption(_("Outlined: the node that was found."))
    title = _("All that the dissection of this lesson measured")
    box = st.expander(title, icon=":material/biotech:", on_change="rerun", key=f"all of {stage}")
    if box.open:
        with box:
            st.caption(content.lesson_note(report))
            show_details(run, stage, report)


def _show_fix(run: Run, stage: str, report: DissectionReport) -> None:
    """What to do, before and after, and the lesson to take away."""
    lesson = report.config.lesson
    fix = STORIES[lesson].fix
    st.markdown(_(fix.text))
    for title, code in ((_("Before"), fix.before), (_("After"), fix.after)):
        st.caption(title)
        st.code(code, language=fix.language, wrap_lines=True)
    for finding in report.findings[:1]:
        st.caption(_("The dissection says: {text}", text=in_the_app(finding.mend)))
    with st.container(horizontal=True, vertical_alignment="center"):
        label, name = _("The report of this lesson"), f"lesson-{lesson}-report.html"
        shared.download_button(run, f"{stage}/report.html", label, name, on_click="ignore", icon=":material/download:")
        st.caption(content.lesson_note(report))


def _show_next(lesson: str) -> None:
    """A button to the next lesson, or back to all of them after the last."""
    names = list(STORIES)
    place = names.index(lesson) + 1
    following, label = (names[place], _("Next lesson")) if place < len(names) else (_ALL, _("All lessons"))
    icon = ":material/arrow_forward:"
    st.button(label, type="primary", icon=icon, key="next lesson", on_click=open_lesson, args=(following,))
