"""Read the graph of a run or of an ONNX file.

Importing this module is fast: it imports onnx only when it opens an ONNX file.
"""

from __future__ import annotations

from pathlib import Path

from convnet_core.common.files import read_json
from convnet_core.errors import ModelError, one_line
from convnet_core.graphs.graph import Graph
from convnet_core.runs.run import Run

FILE = "graph.json"
"""The file with the graph of a run's ONNX model, in `export/`."""


def of_file(path: Path) -> Graph:
    """The graph of an ONNX file as the converter sees it. Raises ModelError and ConversionError."""
    from convnet_core.graphs import from_onnx
    from convnet_core.onnx_files import model_file

    model, _ = model_file.load_repaired(model_file.open_file(path))
    return from_onnx.read(model)


def of_run(run: Run) -> Graph:
    """The graph that the export saved, else the graph of model.onnx. Raises RunError or ModelError."""
    run.require("export")
    if (run.path / "export" / FILE).is_file():
        return read(run.file(f"export/{FILE}"))
    return of_file(run.file("export/model.onnx"))


def read(path: Path) -> Graph:
    """Read a graph.json. One of an earlier version is made again from the model beside it. Raises ModelError."""
    try:
        content = read_json(path)
        if "nodes" in content and "modules" not in content:
            return of_file(path.with_name("model.onnx"))
        return Graph.from_json(content)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}", hint="export again") from error
