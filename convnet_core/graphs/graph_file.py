"""Read the graph of a run or of an ONNX file.

Importing this module is fast: it imports onnx only when it opens an ONNX file.
"""

from __future__ import annotations

from pathlib import Path

from convnet_core.common.files import read_json
from convnet_core.errors import ModelError, one_line
from convnet_core.graphs.graph import Graph
from convnet_core.language import _
from convnet_core.runs.run import Run

FILE = "graph.json"
"""The file with the graph of a run's ONNX model, in `export/`."""


def of_file(path: Path) -> Graph:
    """The graph of an ONNX file as the converter sees it. Raises ModelError and ConversionError."""
    from convnet_core.graphs import from_onnx
    from convnet_core.onnx_files import model_file

    model, _ = model_file.load_repaired(model_file.open_file(path))
    return from_onnx.read(model)


def path_in(run: Run) -> Path:
    """The file with a run's graph: graph.json, or model.onnx if an early version exported it. Raises RunError."""
    run.require("export")
    name = FILE if (run.path / "export" / FILE).is_file() else "model.onnx"
    return run.file(f"export/{name}")


def of_run(run: Run) -> Graph:
    """The graph of a run's model. Raises RunError or ModelError."""
    return read(path_in(run))


def read(path: Path) -> Graph:
    """Read a graph.json, or the ONNX file beside one of an earlier version, or an ONNX file. Raises ModelError."""
    if path.suffix == ".onnx":
        return of_file(path)
    try:
        content = read_json(path)
        if "nodes" in content and "modules" not in content:
            return of_file(path.with_name("model.onnx"))
        return Graph.from_json(content)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), hint=_("export again")
        ) from error
