"""Convert: the run's network as TensorFlow and LiteRT, its operators, and the downloads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from convnet_core.artifacts import artifact
from convnet_core.artifacts.artifact import Artifact
from convnet_core.common.files import digest
from convnet_core.common.formatting import format_error, format_number, format_size
from convnet_core.compare.converters import side_by_side
from convnet_core.config.flags import arguments
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map_file
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.dissect.report import content
from convnet_core.errors import ConvNetError
from convnet_core.jobs import watcher
from convnet_core.jobs.watcher import JobView
from convnet_core.language import _, plural
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runs.stage_results import ConversionResult, ImportResult
from pages.components import artifacts as files
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.names import page_title
from pages.components.signature import show_signature
from pages.forms import conversion
from pages.forms import model_inputs as inputs

CONVERTERS = tuple(stage.partition("/")[2] for stage in CONVERT_STAGES)
_COMMANDS = ("convert", "pipeline", "refresh")
_MANY_NODES = 10
_LOG_CHARACTERS = 100_000  # more than any conversion has written; the end matters most


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("convert"))
    st.write(_("What each ONNX node became in TensorFlow, and the files to take away."))
    run = shared.require_stage("export", _("Converting needs a trained network."))
    jobs.show_start_error()
    if jobs.show_job(run, "convert", draw=lambda progress: show_log(progress.job)):
        return
    made = [stage for stage in CONVERT_STAGES if run.state(stage).state != "missing"]
    verdict, choice, details = (st.container() for _ in range(3))
    folded = st.expander(_("Settings"), icon=":material/tune:", expanded=not made, key="settings")
    with choice if len(made) > 1 else folded:
        converter = conversion.choose_converter()
    stage = f"convert/{converter}"
    state = run.state(stage).state
    with folded:
        config = conversion.conversion_settings(run, converter)
        flags = inputs.input_flags(run, inputs_of(run, stage, *CONVERT_STAGES, "compare")) if run.is_model else []
        if state != "missing":
            start_button(run, config, flags, _("Convert again"))
    with verdict:
        unsupported = config.converter == "native" and show_unsupported_nodes(run)
        if state == "missing":
            if not unsupported:
                st.info(
                    _("Not made yet: {converter} has not converted this run.", converter=config.converter),
                    icon=":material/transform:",
                )
            start_button(run, config, flags, _("Convert"), main=not unsupported)
        else:
            shared.warn_if_stale(run, stage)
            try:
                show_verdict(run, stage)
                with details:
                    show(run, stage, flags)
            except ConvNetError as error:
                jobs.show_error(error)
    newest = watcher.newest(run, *_COMMANDS)
    if newest and newest[1].state in ("done", "stopped"):
        show_log(newest[0])


def start_button(run: Run, config: ConvertConfig, flags: list[str], label: str, *, main: bool = False) -> None:
    """A button that converts with these settings."""
    jobs.start_button(
        label,
        lambda: run,
        convert_arguments(run, config, flags),
        type="primary" if main else "secondary",
        icon=":material/transform:",
        help=_(
            "Writes all files with these settings, in a few seconds. What stands on the files before is then out of "
            "date: the comparison, the benchmark and the dissection"
        ),
    )


def show_log(job: JobView) -> None:
    """Show a job's log, which is only read while the box is open."""
    box = st.expander(_("Log"), key="conversion-log", on_change="rerun", icon=":material/article:")
    if box.open:
        box.code(job.log()[-_LOG_CHARACTERS:] or _("Nothing was logged."), language=None, height=400, wrap_lines=True)


@st.cache_resource(show_spinner=False, max_entries=4)
def load_nodes(folder: Path, sha256: str) -> NodeMap:
    """The entries of nodes.json, cached for all sessions until its digest changes."""
    return node_map_file.read(folder)


def node_table(run: Run, item: Artifact) -> None:
    """Show what each ONNX node became, with a filter if there are many."""
    artifact.check_files(run, item)
    path = run.path / item.path
    with st.spinner(_("Reading the nodes")):
        nodes = load_nodes(path.parent, digest(path))
    kinds = Counter(node.op_type for node in nodes)
    wanted: list[str] = []
    if len(nodes) > _MANY_NODES:
        wanted = st.multiselect(
            _("ONNX ops"),
            [op for op, _count in kinds.most_common()],
            key="onnx-ops",
            bind="query-params",
            placeholder=_("all ONNX ops"),
            label_visibility="collapsed",
        )
    shown = [node for node in nodes if not wanted or node.op_type in wanted]
    ops = dict.fromkeys(op.type for node in nodes for op in node.ops)
    event = st.dataframe(
        [
            {
                _("ONNX op"): f"{node.op_type}-{node.version}",
                _("TensorFlow ops"): [op.type for op in node.ops] or [content.instead_of_ops(node)],
                _("ONNX node"): node.name,
                _("Inputs"): ", ".join(node.inputs),
                _("Outputs"): ", ".join(node.outputs),
            }
            for node in shown
        ],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"nodes of {run.name} {item.stage} {wanted}",
        column_config={
            _("ONNX op"): st.column_config.TextColumn(_("ONNX op →")),
            _("TensorFlow ops"): st.column_config.MultiselectColumn(width="large", options=list(ops), color="auto"),
        },
    )
    chosen = [shown[row] for row in event.selection.rows if row < len(shown)]
    with st.expander(
        _("The ops by name") if chosen else _("The ops by name (select rows above for theirs)"),
        expanded=bool(chosen),
        icon=":material/list:",
    ):
        names = [
            {_("ONNX node"): node.name, _("TensorFlow op"): op.name, _("Type"): op.type}
            for node in chosen or shown
            for op in node.ops
        ]
        st.dataframe(names, hide_index=True, width="stretch")
        files.download_button(run, item)


def show_unsupported_nodes(run: Run) -> bool:
    """Show the nodes of an imported model that the native converter does not support; returns whether there are any."""
    nodes = run.require("export").result_as(ImportResult).faults
    if nodes:
        st.error(
            plural(
                "The native converter does not support {count} node of this model. Export it with other operators, or "
                "choose the other converter, which may support it.",
                "The native converter does not support {count} nodes of this model. Export it with other operators, or "
                "choose the other converter, which may support them.",
                len(nodes),
            ),
            icon=":material/block:",
        )
        st.dataframe([{_("Cannot be converted"): fault} for fault in nodes], hide_index=True, width="stretch")
    return bool(nodes)


def show_converters(run: Run, config: ConvertConfig, flags: list[str]) -> None:
    """Compare the converters; if the run was converted with only one, show a button for the other."""
    lines = side_by_side(run)
    st.header(_("The converters side by side"))
    if len(lines) < len(CONVERT_STAGES):
        other = next(name for name in CONVERTERS if name != config.converter)
        st.caption(_("{other} can convert this network too; the two then stand here side by side.", other=other))
        jobs.start_button(
            _("Convert with {converter} too", converter=other),
            lambda: run,
            convert_arguments(run, config.replace(converter=other, layout=ConvertConfig().layout), flags),
            icon=":material/compare_arrows:",
            help=_(
                "The comparison of the first stays as it is; the Compare page then offers to compare the second too"
            ),
        )
        return
    st.dataframe(
        [
            {
                _("Converter"): line.converter,
                _("TensorFlow ops"): line.tensorflow_ops,
                _("Transposes"): line.transposes,
                "SavedModel": "–" if line.saved_model_bytes is None else format_size(line.saved_model_bytes),
                _("Time to convert, s"): round(line.seconds, 1),
                _("Largest error"): format_error(line.error),
                _("Latency, ms"): "–" if line.median_ms is None else f"{line.median_ms:.3f}",
            }
            for line in lines
        ],
        hide_index=True,
        width="stretch",
    )
    st.caption(_("Error and latency are those of the SavedModel, from Compare and Benchmark if these are up to date."))


def convert_arguments(run: Run, config: ConvertConfig, flags: list[str]) -> list[str]:
    """The job's command line: convert with these settings, on the data of the previous conversion."""
    stage = f"convert/{config.converter}"
    return ["convert", *arguments(config, ConvertConfig()), *arguments(data_of(run, stage), data_of(run)), *flags]


def show(run: Run, stage: str, flags: list[str]) -> None:
    """Show the results of a conversion; `flags` describe the inputs of an imported model. Raises RunError."""
    artifacts = [item for item in artifact.artifacts(run) if item.stage in ("export", stage)]
    for item in artifacts:
        artifact.check_files(run, item)
    record = run.require(stage)
    config = ConvertConfig.from_json(record.config)
    descriptions = {item.name: item for item in artifacts if item.kind == "description"}
    node_table(run, descriptions["nodes.json"])
    seconds = format_number(record.seconds, 1)
    if run.is_model:
        st.caption(_("Converted by {converter} in {seconds} s.", converter=config.converter, seconds=seconds))
    else:
        st.caption(
            plural(
                "Converted by {converter} in {seconds} s with {count} calibration image, seed {seed}.",
                "Converted by {converter} in {seconds} s with {count} calibration images, seed {seed}.",
                config.calibration_size,
                converter=config.converter,
                seconds=seconds,
                seed=config.seed,
            )
        )
    files.show_sizes(artifacts)
    files.show_downloads(run, artifacts)
    show_converters(run, config, flags)
    show_signature(run, descriptions["signature.json"])


def show_verdict(run: Run, stage: str) -> None:
    """Show in one sentence what became of the network, and which files could not be written. Raises RunError."""
    result = run.require(stage).result_as(ConversionResult)
    if run.state(stage).state == "fresh" and not result.failed:
        st.success(_("{sentence}.", sentence=result.headline), icon=":material/verified:")
    else:
        st.info(_("{sentence}.", sentence=result.headline), icon=":material/transform:")
    for file, reason in result.failed.items():
        st.warning(_("{file} could not be written. {reason}", file=file, reason=reason), icon=":material/error:")


frame.show(main)
