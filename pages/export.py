"""Export: PyTorch → ONNX, and the ONNX graph to walk through."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_count, format_error, format_size
from convnet_core.config.arguments import arguments
from convnet_core.config.fields import describe
from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConvNetError
from convnet_core.graphs import graph_file
from convnet_core.runs.run import Run
from pages.components import frame
from pages.components import graph_explorer as graph
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.forms import model_inputs as inputs

_LIMITS = {field.path[0]: field.setting for field in describe(ExportConfig)}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Export")
    st.write("Turns the trained PyTorch network into an ONNX file, checks it, and shows what is in it, node by node.")
    run = shared.chosen_run()
    if run is None or run.state("train").state == run.state("export").state == "missing":
        run = shared.need("export", "Exporting")
    jobs.refusal()
    if jobs.area(run, "export"):
        return
    done = run.state("export").state != "missing"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if run.state("train").state != "missing":
            options(run, done=done)
        if done:
            download(run)
    if not done:
        st.info(f"The run {run.name} is not exported yet.")
        return
    if not shared.warn_of_stale(run, "export"):
        checked(run)
    if run.is_model:
        st.page_link("pages/convert.py", label="Convert it", icon=":material/transform:")
        interface(run)
    picture(run)


def options(run: Run, *, done: bool) -> None:
    """The settings of the export, and the button that starts it. They begin as the file was made."""
    record = run.record("export")
    before = ExportConfig.from_json(record.config) if record else ExportConfig()
    shared.begin_with(run, **{"opset": before.opset, "fuse-batchnorm": before.fuse_batchnorm})
    opset = st.slider(
        "Opset",
        int(_LIMITS["opset"].low or 0),
        int(_LIMITS["opset"].high or 0),
        before.opset,
        key="opset",
        bind="query-params",
        width=240,
        help="Version of ONNX's operators that the file uses. A higher one may use newer operators for the same "
        "answers; the converter onnx-tf reads 18 alone",
    )
    fuse = st.toggle(
        "Fold batch normalisation",
        before.fuse_batchnorm,
        key="fuse-batchnorm",
        bind="query-params",
        help="On: a BatchNorm is multiplied into the convolution before it, so the file has a node less and runs "
        "faster. Off: it stays a node of its own, to be looked at. The answers are the same",
    )
    jobs.start_button(
        "Export again" if done else "Export",
        lambda: run,
        ["export", *arguments(ExportConfig(opset=opset, fuse_batchnorm=fuse), ExportConfig())],
        type="secondary" if done else "primary",
        icon=":material/output:",
        help="Writes model.onnx anew; what was converted and compared before is then stale",
    )


def download(run: Run) -> None:
    """The file, to take away."""
    shared.download(
        run,
        "export/model.onnx",
        "Download ONNX",
        f"{run.name}.onnx",
        mime="application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help="model.onnx: one file, with the weights in it",
    )


def checked(run: Run) -> None:
    """What the export was checked for."""
    record = run.require("export")
    result, config = record.result, ExportConfig.from_json(record.config)
    if run.is_model:
        st.success(
            f"Brought in from elsewhere: opset {result['opset']}, {format_count(result['nodes'], 'node')}, "
            f"{format_size(result['bytes'])}. It passed {result['checked']}.",
            icon=":material/verified:",
        )
        return
    st.success(
        f"Opset {config.opset}, {format_count(result['nodes'], 'node')}, {format_size(result['bytes'])}. It passed "
        f"{result.get('checked', 'onnx.checker')}; in ONNX Runtime it gives PyTorch's answers, the largest error is "
        f"{format_error(result['max_abs_error'])}.",
        icon=":material/verified:",
    )


def interface(run: Run) -> None:
    """What goes into a model from elsewhere, and what comes out."""
    st.dataframe(
        [
            {"Side": side, "Name": tensor.name, "Type": tensor.dtype, "Shape": tensor.shape_text}
            for side in ("input", "output")
            for tensor in inputs.ports(run, side)
        ],
        hide_index=True,
        width="stretch",
    )


def picture(run: Run) -> None:
    """The graph, where the export kept one."""
    name = f"export/{graph_file.FILE}"
    if not (run.path / name).is_file():
        st.info("This run was exported before the graph was kept beside the file: export again to see it.")
        return
    try:
        path = run.file(name)
        found = graph.read(path, digest(path))
    except ConvNetError as error:
        jobs.explain(error)
        return
    graph.explore(found, digest(path))


frame.show(main)
