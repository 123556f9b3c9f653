"""The files that a conversion wrote: their sizes, and downloads with code."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import streamlit as st

from convnet_core.artifacts import artifact, snippets
from convnet_core.artifacts.artifact import Artifact
from convnet_core.artifacts.pack import pack
from convnet_core.common.files import digest
from convnet_core.common.formatting import capitalized, format_percent
from convnet_core.language import _, current, keep
from convnet_core.runs.run import Run


def show_sizes(artifacts: list[Artifact]) -> None:
    """The size of each artifact, of the weights and of the ONNX file."""
    st.header(_("Files"))
    models = [item for item in artifacts if item.kind != "description"]
    onnx = next((item.bytes for item in models if item.kind == "onnx"), 0)
    # Not Streamlit's own format "bytes": in a Chinese browser, 134,000 bytes are 13.4 times ten thousand there.
    largest = max(item.bytes for item in models)
    divisor, unit = (1e6, "MB") if largest >= 1e7 else (1e3, "kB")
    st.dataframe(
        [
            {
                _("Format"): item.title,
                _("File"): item.name + ("/" if item.is_folder else ""),
                _("Size"): item.bytes / divisor,
                _("Of ONNX"): format_percent(item.bytes / onnx, 0) if onnx else "–",
                _("What for"): item.about,
            }
            for item in models
        ],
        hide_index=True,
        width="stretch",
        column_config={
            _("Size"): st.column_config.ProgressColumn(
                format=f"%.{1 if unit == 'MB' else 0}f {unit}", min_value=0, max_value=largest / divisor, width="medium"
            )
        },
    )


def zip_bytes(run: Run, only: Artifact | None = None) -> bytes:
    """A zip of a run, or of one artifact, built on request."""
    file = io.BytesIO()
    pack(run, file, only)
    return file.getvalue()


def download_button(run: Run, item: Artifact) -> None:
    """A download button for one artifact; folders are zipped. The file is read on click."""
    folder, file = keep(lambda: zip_bytes(run, item)), lambda: run.file(item.path).read_bytes()
    st.download_button(
        _("Download {file}", file=f"{item.name}{'.zip' if item.is_folder else ''}"),
        folder if item.is_folder else file,
        f"{item.name}.zip" if item.is_folder else item.name,
        on_click="ignore",
        icon=":material/download:",
        key=f"download {item.path}",
        help=_("{name}: {about}", name=item.title, about=item.about),
    )


@st.cache_data(show_spinner=False, max_entries=32)
def code_snippet(path: Path, name: str, sha256: str, language: str) -> str:
    """The code snippet of an artifact, cached until the file that names its inputs changes. Its comments are texts."""
    run = Run(path)
    item = artifact.find(run, name)
    return snippets.snippets(run, item)[item]


def show_downloads(run: Run, artifacts: list[Artifact]) -> None:
    """A zip of everything, and each artifact with code that loads it."""
    st.download_button(
        _("Download all as one zip"),
        keep(functools.partial(zip_bytes, run)),
        f"{run.name}.zip",
        "application/zip",
        on_click="ignore",
        type="primary",
        icon=":material/folder_zip:",
        help=_("ONNX, SavedModel, frozen graph, LiteRT, the code below, the report if it is up to date, and a README"),
    )
    models = [item for item in artifacts if item.kind not in ("weights", "description")]
    for tab, item in zip(st.tabs([item.title for item in models]), models, strict=True):
        with tab:
            st.write(_("{sentence}.", sentence=capitalized(item.about)))
            download_button(run, item)
            names_inputs = item.path if item.kind == "onnx" else f"{item.stage}/signature.json"
            code = code_snippet(run.path, item.path, digest(run.file(names_inputs)), current())
            # Wrapped, because not every browser scrolls it by the keyboard
            st.container(key=f"code-{item.path}").code(code, language="python", wrap_lines=True)
