"""Graphs of models as plain data, laid out: what a page draws and the command `graph` prints.

`import convnet_core.graphs.graph_file` is light; onnx is imported where an ONNX file is opened.
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
"""Where a run keeps the graph of its ONNX model, beside it in `export/`."""


def arranged(graph: Graph) -> Graph:
    """The graph with places for its nodes and ways for its edges."""
    links = _links(graph)
    layout = lay_out(len(graph.nodes), links)
    placed = zip(graph.nodes, layout.places, strict=True)
    return dataclasses.replace(
        graph,
        nodes=tuple(dataclasses.replace(node, x=x, y=y) for node, (x, y) in placed),
        edges=tuple(
            dataclasses.replace(edge, bends=layout.bends.get(link, ()))
            for edge, link in zip(graph.edges, links, strict=True)
        ),
    )


def _links(graph: Graph) -> list[tuple[int, int]]:
    """For each edge, the positions of its two nodes."""
    position = {node.id: index for index, node in enumerate(graph.nodes)}
    return [(position[edge.source], position[edge.target]) for edge in graph.edges]


def of_file(path: Path) -> Graph:
    """The graph of an ONNX file as it is converted, laid out. Raises ModelError and ConversionError."""
    from convnet_core.graphs import from_onnx
    from convnet_core.onnx_files.open_model import open_model

    model, _ = open_model(path)
    return arranged(from_onnx.read(model))


def of_run(run: Run) -> Graph:
    """The graph that the export kept; made from model.onnx where it kept none. Raises RunError or ModelError."""
    run.require("export")
    if (run.path / "export" / FILE).is_file():
        return read(run.file(f"export/{FILE}"))
    return of_file(run.file("export/model.onnx"))


def read(path: Path) -> Graph:
    """The graph of a graph.json. Raises ModelError."""
    try:
        return Graph.from_json(read_json(path))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}", hint="export again") from error
