"""Convert: the run's network as TensorFlow and LiteRT, what became of it, and how to take it elsewhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from convnet_core.artifacts import artifact
from convnet_core.artifacts.artifact import Artifact
from convnet_core.common.files import digest
from convnet_core.common.formatting import format_count, format_error, format_size
from convnet_core.compare.converters import side_by_side
from convnet_core.config.arguments import arguments
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
from convnet_core.tensors.arrays import shape_text
from pages.components import artifacts as files
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.forms import conversion
from pages.forms import model_inputs as inputs

CONVERTERS = tuple(stage.partition("/")[2] for stage in CONVERT_STAGES)
_COMMANDS = ("convert", "pipeline", "refresh")
_LOG_CHARACTERS = 100_000  # more than any conversion has written; the end is what matters


def main() -> None:
    """The page, from top to bottom."""
    st.title("Convert")
    st.write(
        "The ONNX network becomes TensorFlow and LiteRT. Here is what came out, and how to load it without this app."
    )
    run = shared.need("export", "Converting")
    jobs.refusal()
    if jobs.area(run, "convert", draw=lambda told: show_log(told.job)):
        return
    config = conversion.settings(run)
    stage = f"convert/{config.converter}"
    given = inputs.arguments(run, inputs_of(run, stage, *CONVERT_STAGES, "compare")) if run.is_model else []
    state = run.state(stage).state
    refused = config.converter == "native" and faults(run)
    jobs.start_button(
        "Convert" if state == "missing" else "Convert again",
        lambda: run,
        command(run, config, given),
        type="secondary" if state == "fresh" or refused else "primary",
        icon=":material/transform:",
        help="Makes every artefact anew with these settings, in a few seconds. The comparison is stale then",
    )
    if state == "missing":
        if not refused:
            st.info("This run is not converted yet.")
    else:
        shared.warn_of_stale(run, stage)
        try:
            show(run, stage, given)
        except ConvNetError as error:
            jobs.explain(error)
    newest = watcher.newest(run, *_COMMANDS)
    if newest and newest[1].state in ("done", "stopped"):
        show_log(newest[0])


def show_log(job: JobView) -> None:
    """A job's log as it is; read while somebody looks at it."""
    box = st.expander("Log", key="conversion-log", on_change="rerun", icon=":material/article:")
    if box.open:
        box.code(job.log()[-_LOG_CHARACTERS:] or "Nothing was logged.", language=None, height=400, wrap_lines=True)


def signature(run: Run, item: Artifact) -> None:
    """The names, types and shapes that the SavedModel and the LiteRT files are called with."""
    artifact.check_files(run, item)
    found = Signature.load((run.path / item.path).parent)
    st.subheader("Signature")
    st.write("What `serving_default` of the SavedModel takes and gives. So do the LiteRT files, but for some types.")
    st.dataframe(
        [
            {
                "Side": side[:-1],
                "TensorFlow name": port.tensorflow,
                "ONNX name": port.onnx,
                "Type": port.dtype + (f", {port.int8} in the int8 file" if port.int8 else ""),
                "Shape": shape_text(port.shape),
            }
            for side, ports in (("inputs", found.inputs), ("outputs", found.outputs))
            for port in ports
        ],
        hide_index=True,
        width="stretch",
    )
    files.download(run, item)


@st.cache_resource(show_spinner="reading the nodes", max_entries=4)
def nodes_of(folder: Path, sha256: str) -> NodeMap:
    """nodes.json, one for all sessions; read again when its digest changes."""
    return node_map_file.read(folder)


def node_table(run: Run, item: Artifact) -> None:
    """The TensorFlow ops that each ONNX node became, to filter and to look into."""
    artifact.check_files(run, item)
    path = run.path / item.path
    nodes = nodes_of(path.parent, digest(path))
    st.subheader("What each ONNX node became")
    ops = Counter(node.op_type for node in nodes)
    wanted = st.multiselect(
        "ONNX ops",
        [op for op, _ in ops.most_common()],
        key="onnx-ops",
        bind="query-params",
        placeholder="all",
        help="Shows only nodes of these ops",
    )
    shown = [node for node in nodes if not wanted or node.op_type in wanted]
    made = sum(len(node.ops) for node in shown)
    st.caption(
        f"{len(shown):,} of {format_count(len(nodes), 'ONNX node')}, which became "
        f"{format_count(made, 'TensorFlow op')}. "
        "Choose rows to see the names of theirs."
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
    files.download(run, item)


def faults(run: Run) -> bool:
    """Everything that the native converter cannot take of a model from elsewhere; whether there is something."""
    found: list[str] = run.require("export").result.get("faults", [])
    if found:
        st.error(
            f"The native converter cannot take {len(found)} {'node' if len(found) == 1 else 'nodes'} of this model. "
            "Export it with other operators, or choose the other converter, which may know them.",
            icon=":material/block:",
        )
        st.dataframe([{"Cannot be converted": fault} for fault in found], hide_index=True, width="stretch")
    return bool(found)


def both(run: Run, config: ConvertConfig, given: list[str]) -> None:
    """The converters side by side; where the run was converted with one alone, a button for the other."""
    lines = side_by_side(run)
    if len(lines) < len(CONVERT_STAGES):
        other = next(name for name in CONVERTERS if name != config.converter)
        jobs.start_button(
            f"Convert with {other} too",
            lambda: run,
            command(run, config.replace(converter=other, layout=ConvertConfig().layout), given),
            icon=":material/compare_arrows:",
            help="Puts the two converters side by side; a comparison and a benchmark then cover both",
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
    st.caption("Error and latency are those of the SavedModel, from the pages Compare and Benchmark where fresh.")


def command(run: Run, config: ConvertConfig, given: list[str]) -> list[str]:
    """What the job does: convert with these settings, on the data that the conversion had before."""
    stage = f"convert/{config.converter}"
    return ["convert", *arguments(config, ConvertConfig()), *arguments(data_of(run, stage), data_of(run)), *given]


def show(run: Run, stage: str, given: list[str]) -> None:
    """All that the conversion made; `given` are the flags that say what the inputs are fed with. Raises RunError."""
    found = [item for item in artifact.artifacts(run) if item.stage in ("export", stage)]
    for item in found:
        artifact.check_files(run, item)
    kept = run.require(stage)
    st.caption(
        f"Made by {kept.config['converter']} in {kept.seconds:.1f} s"
        + (
            "."
            if run.is_model
            else f" with {kept.config['calibration_size']:,} calibration images, seed {kept.config['seed']}."
        )
    )
    for file, reason in kept.result.get("failed", {}).items():
        st.warning(f"{file} could not be made. {reason}", icon=":material/error:")
    both(run, ConvertConfig.from_json(kept.config), given)
    files.sizes(found)
    files.take_elsewhere(run, found)
    described = {item.name: item for item in found if item.kind == "description"}
    signature(run, described["signature.json"])
    node_table(run, described["nodes.json"])


frame.show(main)
