"""Convert: the run's network as TensorFlow and LiteRT, its operators, and the downloads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from convnet_core.artifacts import artifact
from convnet_core.artifacts.artifact import Artifact
from convnet_core.common.files import digest
from convnet_core.common.formatting import format_count, format_error, format_size
from convnet_core.compare.converters import side_by_side
from convnet_core.config.flags import arguments
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import node_map_file
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.convert.signature import Signature
from convnet_core.errors import ConvNetError
from convnet_core.jobs import watcher
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runs.stage_results import ConversionResult, ImportResult
from convnet_core.tensors.arrays import shape_text
from pages.components import artifacts as files
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.forms import conversion
from pages.forms import model_inputs as inputs

CONVERTERS = tuple(stage.partition("/")[2] for stage in CONVERT_STAGES)
_COMMANDS = ("convert", "pipeline", "refresh")
_LOG_CHARACTERS = 100_000  # more than any conversion has written; the end matters most


def main() -> None:
    """The page, from top to bottom."""
    st.title("Convert")
    st.write("Converts the ONNX network to TensorFlow and LiteRT. See the result, and how to load it without this app.")
    run = shared.require_stage("export", "Converting")
    jobs.show_start_error()
    if jobs.show_job(run, "convert", draw=lambda progress: show_log(progress.job)):
        return
    config = conversion.conversion_settings(run)
    stage = f"convert/{config.converter}"
    flags = inputs.input_flags(run, inputs_of(run, stage, *CONVERT_STAGES, "compare")) if run.is_model else []
    state = run.state(stage).state
    unsupported = config.converter == "native" and show_unsupported_nodes(run)
    jobs.start_button(
        "Convert" if state == "missing" else "Convert again",
        lambda: run,
        convert_arguments(run, config, flags),
        type="secondary" if state == "fresh" or unsupported else "primary",
        icon=":material/transform:",
        help="Writes all artifacts again with these settings, in a few seconds. The comparison is then out of date",
    )
    if state == "missing":
        if not unsupported:
            st.info("This run has not been converted yet.")
    else:
        shared.warn_if_stale(run, stage)
        try:
            show(run, stage, flags)
        except ConvNetError as error:
            jobs.show_error(error)
    newest = watcher.newest(run, *_COMMANDS)
    if newest and newest[1].state in ("done", "stopped"):
        show_log(newest[0])


def show_log(job: JobView) -> None:
    """Show a job's log, which is only read while the box is open."""
    box = st.expander("Log", key="conversion-log", on_change="rerun", icon=":material/article:")
    if box.open:
        box.code(job.log()[-_LOG_CHARACTERS:] or "Nothing was logged.", language=None, height=400, wrap_lines=True)


def show_signature(run: Run, item: Artifact) -> None:
    """Show the names, types and shapes of the inputs and outputs of the SavedModel and the LiteRT files."""
    artifact.check_files(run, item)
    signature = Signature.load((run.path / item.path).parent)
    st.subheader("Signature")
    st.write(
        "The inputs and outputs of the SavedModel's `serving_default`. The LiteRT files have the same ones, except for "
        "some types."
    )
    st.dataframe(
        [
            {
                "Side": side[:-1],
                "TensorFlow name": port.tensorflow,
                "ONNX name": port.onnx,
                "Type": port.dtype + (f", {port.int8} in the int8 file" if port.int8 else ""),
                "Shape": shape_text(port.shape),
            }
            for side, ports in (("inputs", signature.inputs), ("outputs", signature.outputs))
            for port in ports
        ],
        hide_index=True,
        width="stretch",
    )
    files.download_button(run, item)


@st.cache_resource(show_spinner="reading the nodes", max_entries=4)
def load_nodes(folder: Path, sha256: str) -> NodeMap:
    """The entries of nodes.json, cached for all sessions until its digest changes."""
    return node_map_file.read(folder)


def node_table(run: Run, item: Artifact) -> None:
    """Show the TensorFlow ops that each ONNX node became, with a filter."""
    artifact.check_files(run, item)
    path = run.path / item.path
    nodes = load_nodes(path.parent, digest(path))
    st.subheader("TensorFlow ops by ONNX node")
    ops = Counter(node.op_type for node in nodes)
    wanted = st.multiselect(
        "ONNX ops",
        [op for op, _ in ops.most_common()],
        key="onnx-ops",
        bind="query-params",
        placeholder="all",
        help="Shows only nodes with these operators",
    )
    shown = [node for node in nodes if not wanted or node.op_type in wanted]
    op_count = sum(len(node.ops) for node in shown)
    st.caption(
        f"{len(shown):,} of {format_count(len(nodes), 'ONNX node')}, which became "
        f"{format_count(op_count, 'TensorFlow op')}. "
        "Select rows to see the names of their ops."
    )
    event = st.dataframe(
        [
            {
                "ONNX node": node.name,
                "ONNX op": f"{node.op_type}-{node.version}",
                "TensorFlow ops": ", ".join(op.type for op in node.ops) or "none (a constant)",
                "Count": len(node.ops),
                "Inputs": ", ".join(node.inputs),
                "Outputs": ", ".join(node.outputs),
            }
            for node in shown
        ],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"nodes of {run.name} {wanted}",
    )
    chosen = [shown[row] for row in event.selection.rows if row < len(shown)]
    with st.expander("The TensorFlow ops by name", expanded=bool(chosen), icon=":material/list:"):
        names = [
            {"ONNX node": node.name, "TensorFlow op": op.name, "Type": op.type}
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
            f"The native converter does not support {format_count(len(nodes), 'node')} of this model. "
            "Export it with other operators, or choose the other converter, which may support them.",
            icon=":material/block:",
        )
        st.dataframe([{"Cannot be converted": fault} for fault in nodes], hide_index=True, width="stretch")
    return bool(nodes)


def show_converters(run: Run, config: ConvertConfig, flags: list[str]) -> None:
    """Compare the converters; if the run was converted with only one, show a button for the other."""
    lines = side_by_side(run)
    if len(lines) < len(CONVERT_STAGES):
        other = next(name for name in CONVERTERS if name != config.converter)
        jobs.start_button(
            f"Convert with {other} too",
            lambda: run,
            convert_arguments(run, config.replace(converter=other, layout=ConvertConfig().layout), flags),
            icon=":material/compare_arrows:",
            help="Compares the two converters; later comparisons and benchmarks cover both",
        )
        return
    st.subheader("The converters side by side")
    st.dataframe(
        [
            {
                "Converter": line.converter,
                "TensorFlow ops": line.tensorflow_ops,
                "Transposes": line.transposes,
                "SavedModel": "–" if line.saved_model_bytes is None else format_size(line.saved_model_bytes),
                "Time to convert, s": round(line.seconds, 1),
                "Largest error": format_error(line.error),
                "Latency, ms": "–" if line.median_ms is None else f"{line.median_ms:.3f}",
            }
            for line in lines
        ],
        hide_index=True,
        width="stretch",
    )
    st.caption("Error and latency are those of the SavedModel, from Compare and Benchmark if these are up to date.")


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
    st.caption(
        f"Converted by {config.converter} in {record.seconds:.1f} s"
        + ("." if run.is_model else f" with {config.calibration_size:,} calibration images, seed {config.seed}.")
    )
    for file, reason in record.result_as(ConversionResult).failed.items():
        st.warning(f"{file} could not be written. {reason}", icon=":material/error:")
    show_converters(run, config, flags)
    files.show_sizes(artifacts)
    files.show_downloads(run, artifacts)
    descriptions = {item.name: item for item in artifacts if item.kind == "description"}
    show_signature(run, descriptions["signature.json"])
    node_table(run, descriptions["nodes.json"])


frame.show(main)
