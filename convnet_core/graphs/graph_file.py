"""Read the graph of a run or of an ONNX file, with a layout.

Importing this module is fast: it imports onnx only when it opens an ONNX file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from convnet_core.common.files import read_json
from convnet_core.errors import ModelError, one_line
from convnet_core.graphs.graph import Graph
from convnet_core.graphs.layout import lay_out
from convnet_core.runs.run import Run

FILE = "graph.json"
"""The file with the graph of a run's ONNX model, in `export/`."""


def arrange(graph: Graph) -> Graph:
    """Lay out a graph: set the positions of its nodes and the bends of its edges."""
    links = _links(graph)
    layout = lay_out(len(graph.nodes), links)
    positions = zip(graph.nodes, layout.positions, strict=True)
    return dataclasses.replace(
        graph,
        nodes=tuple(dataclasses.replace(node, x=x, y=y) for node, (x, y) in positions),
        edges=tuple(
            dataclasses.replace(edge, bends=layout.bends.get(link, ()))
            for edge, link in zip(graph.edges, links, strict=True)
        ),
    )


def _links(graph: Graph) -> list[tuple[int, int]]:
    """For each edge, the indices of its two nodes."""
    index_of = {node.id: index for index, node in enumerate(graph.nodes)}
    return [(index_of[edge.source], index_of[edge.target]) for edge in graph.edges]


def of_file(path: Path) -> Graph:
    """The graph of an ONNX file as the converter sees it, with a layout. Raises ModelError and ConversionError."""
    from convnet_core.graphs import from_onnx
    from convnet_core.onnx_files import model_file

    model, _ = model_file.load_repaired(model_file.open_file(path))
    return arrange(from_onnx.read(model))


def of_run(run: Run) -> Graph:
    """The graph that the export saved, else the graph of model.onnx. Raises RunError or ModelError."""
    run.require("export")
    if (run.path / "export" / FILE).is_file():
        return read(run.file(f"export/{FILE}"))
    return of_file(run.file("export/model.onnx"))


def read(path: Path) -> Graph:
    """Read a graph.json. Raises ModelError."""
    try:
        return Graph.from_json(read_json(path))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}", hint="export again") from error
