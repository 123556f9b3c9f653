"""Export: PyTorch → ONNX, and the ONNX graph to explore."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_error, format_size
from convnet_core.config.fields import describe
from convnet_core.config.flags import arguments
from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConvNetError
from convnet_core.graphs import graph_file
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.runs.stage_results import ExportResult
from pages.components import frame
from pages.components import graph_explorer as graph
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.names import page_title
from pages.forms import model_inputs as inputs

_LIMITS = {field.path[0]: field.setting for field in describe(ExportConfig)}


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("export"))
    run = shared.selected_run()
    if run and run.is_model:
        st.write(_("Look at the imported model: its inputs, its outputs, and its graph, node by node."))
    else:
        st.write(
            _("Write the trained PyTorch network into an ONNX file, check it, and look at its graph, node by node.")
        )
    if run is None or run.state("train").state == run.state("export").state == "missing":
        run = shared.require_stage("export", _("Exporting needs a trained network."))
    jobs.show_start_error()
    if jobs.show_job(run, "export"):
        return
    done = run.state("export").state != "missing"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if run.state("train").state != "missing":
            export_form(run, done=done)
        if done:
            download(run)
    if not done:
        st.info(_("The run {run} has not been exported yet.", run=shared.name_in_markdown(run)))
        return
    if not shared.warn_if_stale(run, "export"):
        show_checks(run)
    if run.is_model:
        st.page_link("pages/convert.py", label=_("Convert it"), icon=":material/transform:")
        show_inputs_and_outputs(run)
    show_graph(run)


def export_form(run: Run, *, done: bool) -> None:
    """The settings, starting with those of the last export, and the button that starts the export."""
    record = run.record("export")
    before = ExportConfig.from_json(record.config) if record else ExportConfig()
    shared.set_initial_values(run, **{"opset": before.opset, "fuse-batchnorm": before.fuse_batchnorm})
    opset = st.slider(
        "Opset",
        int(_LIMITS["opset"].low or 0),
        int(_LIMITS["opset"].high or 0),
        before.opset,
        key="opset",
        bind="query-params",
        width=240,
        help=_(
            "Version of ONNX's operators in the file. Higher versions may use newer operators for the same answers; "
            "the converter onnx-tf only reads 18"
        ),
    )
    fuse = st.toggle(
        _("Fold batch normalization"),
        before.fuse_batchnorm,
        key="fuse-batchnorm",
        bind="query-params",
        help=_(
            "On: folds each BatchNorm into the convolution before it, so the file has fewer nodes and runs faster. "
            "Off: keeps it as a separate node. The answers are the same"
        ),
    )
    jobs.start_button(
        _("Export again") if done else _("Export"),
        lambda: run,
        ["export", *arguments(ExportConfig(opset=opset, fuse_batchnorm=fuse), ExportConfig())],
        type="secondary" if done else "primary",
        icon=":material/output:",
        help=_("Writes model.onnx again; the conversion and the comparison are then out of date"),
    )


def download(run: Run) -> None:
    """A download button for the ONNX file."""
    shared.download_button(
        run,
        "export/model.onnx",
        _("Download ONNX"),
        f"{run.name}.onnx",
        mime="application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help=_("model.onnx: one file, with the weights in it"),
    )


def show_checks(run: Run) -> None:
    """Show the checks that the export passed."""
    record = run.require("export")
    result, config = record.result_as(ExportResult), ExportConfig.from_json(record.config)
    nodes, size = plural("{count} node", "{count} nodes", result.nodes), format_size(result.bytes)
    checker = result.checked.removesuffix(" with full shape inference")  # the record is English
    checks = _("{checker} with full shape inference", checker=checker)
    if run.is_model:
        text = _(
            "Imported model: opset {opset}, {nodes}, {size}. It passed {checks}.",
            opset=result.opset,
            nodes=nodes,
            size=size,
            checks=checks,
        )
    else:
        text = _(
            "Opset {opset}, {nodes}, {size}. It passed {checks}; ONNX Runtime gives PyTorch's answers with a largest "
            "error of {error}.",
            opset=config.opset,
            nodes=nodes,
            size=size,
            checks=checks,
            error=format_error(result.max_abs_error),
        )
    st.success(text, icon=":material/verified:")


def show_inputs_and_outputs(run: Run) -> None:
    """Show the inputs and outputs of an imported model."""
    st.dataframe(
        [
            {_("Side"): title, _("Name"): tensor.name, _("Type"): tensor.dtype, _("Shape"): tensor.shape_text}
            for side, title in (("input", _("input")), ("output", _("output")))
            for tensor in inputs.model_tensors(run, side)
        ],
        hide_index=True,
        width="stretch",
    )


def show_graph(run: Run) -> None:
    """Show the graph of the exported model."""
    try:
        path = graph_file.path_in(run)
        sha256 = digest(path)
        graph.read(path, sha256)  # here, because Streamlit itself shows what a fragment raises
    except ConvNetError as error:
        jobs.show_error(error)
        return
    graph.explore(path, sha256)


frame.show(main)
