"""The command `graph`: the nodes of an ONNX model."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.cli import resolve, tables
from convnet_core.cli.terminal import print_results
from convnet_core.graphs import graph_file

EXAMPLE = "graph --run runs/mine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """--run or --onnx."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", type=Path, metavar="DIR", help="the run's folder (default: the newest run)")
    source.add_argument("--onnx", "--model", type=Path, metavar="FILE", help="an ONNX file, instead of a run's")


def execute(args: argparse.Namespace) -> int:
    """Print the graph of the run or the file."""
    graph = graph_file.of_file(args.onnx) if args.onnx else graph_file.of_run(resolve.existing_run(args, "export"))
    print_results(args, graph.to_json(), *tables.graph(graph))
    return 0
