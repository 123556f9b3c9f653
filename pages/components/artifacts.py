"""The files that a conversion made: how large they are, and how to take them elsewhere."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from convnet_core.artifacts import artifact, snippets
from convnet_core.artifacts.artifact import Artifact
from convnet_core.artifacts.pack import pack
from convnet_core.common.files import digest
from convnet_core.common.formatting import format_size
from convnet_core.runs.run import Run
from pages.charts import style as charts


def sizes(found: list[Artifact]) -> None:
    """How large each artefact is, beside the weights and the ONNX file that it came from."""
    st.subheader("Sizes")
    models = [item for item in found if item.kind != "description"]
    unit, name = (1e6, "MB") if max(item.bytes for item in models) >= 1e6 else (1e3, "kB")
    figure = go.Figure(
        go.Bar(
            x=[item.bytes / unit for item in models],
            y=[item.title for item in models],
            text=[format_size(item.bytes) for item in models],
            marker_color=[charts.COLOURS[-1 if item.stage == "export" else 0] for item in models],
            orientation="h",
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    st.plotly_chart(charts.styled(figure, f"size, {name}", "", height=60 + 36 * len(models)), width="stretch")
    onnx = next((item.bytes for item in models if item.kind == "onnx"), 0)
    st.dataframe(
        [
            {
                "Artefact": item.title,
                "File": item.name + ("/" if item.is_folder else ""),
                "Size": format_size(item.bytes),
                "Beside ONNX": f"{100 * item.bytes / onnx:.0f} %" if onnx else "–",
                "What it is": item.about,
            }
            for item in models
        ],
        hide_index=True,
        width="stretch",
    )


def zipped(run: Run, only: Artifact | None = None) -> bytes:
    """The zip of a run or of one artefact; made when somebody asks for it."""
    file = io.BytesIO()
    pack(run, file, only)
    return file.getvalue()


def download(run: Run, item: Artifact) -> None:
    """A button for one artefact; a folder comes as a zip. The file is read when it is asked for."""
    whole, single = lambda: zipped(run, item), lambda: run.file(item.path).read_bytes()
    st.download_button(
        f"Download {item.name}{'.zip' if item.is_folder else ''}",
        whole if item.is_folder else single,
        f"{item.name}.zip" if item.is_folder else item.name,
        on_click="ignore",
        icon=":material/download:",
        key=f"download {item.path}",
        help=f"{item.title}: {item.about}",
    )


@st.cache_data(show_spinner="writing the snippets", max_entries=32)
def snippet(path: Path, artefact: str, sha256: str) -> str:
    """The snippet of an artefact; written again when the digest of what names its inputs changes."""
    run = Run(path)
    item = artifact.find(run, artefact)
    return snippets.snippets(run, item)[item]


def take_elsewhere(run: Run, found: list[Artifact]) -> None:
    """Everything as one zip; each artefact with the code that loads it."""
    st.subheader("Take it elsewhere")
    st.download_button(
        "Download all as one zip",
        functools.partial(zipped, run),
        f"{run.name}.zip",
        "application/zip",
        on_click="ignore",
        type="primary",
        icon=":material/folder_zip:",
        help="ONNX, SavedModel, frozen graph, LiteRT, the code below, the report where it is fresh, and a README",
    )
    models = [item for item in found if item.kind not in ("weights", "description")]
    for tab, item in zip(st.tabs([item.title for item in models]), models, strict=True):
        with tab:
            st.write(f"{item.about[0].upper()}{item.about[1:]}.")
            download(run, item)
            names = item.path if item.kind == "onnx" else f"{item.stage}/signature.json"
            st.code(snippet(run.path, item.path, digest(run.file(names))), language="python")
