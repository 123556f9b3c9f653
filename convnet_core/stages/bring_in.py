"""The stage `export` for a model from elsewhere: an ONNX file becomes the run's model.onnx."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import onnx

from convnet_core import graphs, onnx_model
from convnet_core.convert import native
from convnet_core.errors import ConversionError
from convnet_core.events import Monitor
from convnet_core.files import write_json
from convnet_core.graphs import from_onnx
from convnet_core.records import Draft
from convnet_core.runs import Run
from convnet_core.stages._stage import ExportResult, told


def run_bring_in(
    run: Run, path: Path, monitor: Monitor, load: Callable[[Path], onnx.ModelProto] = onnx_model.load
) -> ExportResult:
    """Check an ONNX file and make it the run's model; where its weights lay in other files, they move into it.

    What the native converter cannot take of it is noted, a line for each node. `load` opens the file. Raises
    ModelError where it cannot be read, ConversionError where the checker refuses it.
    """
    with told("export", monitor) as line:
        model = load(path)
        onnx_model.inputs(model)  # plain tensors, or an error that names the one that is not
        onnx_model.check(model, path)
        with run.writing("export", {}) as draft:
            draft.inputs["onnx"] = onnx_model.fingerprint(path)
            result = keep(model, draft)
        line.summary = f"{result.nodes} nodes, opset {result.opset}, from {path.name}"
    return result


def keep(model: onnx.ModelProto, draft: Draft, max_abs_error: float | None = None) -> ExportResult:
    """Write a model that was checked, its graph as a page draws it, and what the native converter cannot take of it."""
    onnx_model.name_nodes(model)
    write_json(draft.path / graphs.FILE, graphs.arranged(from_onnx.read(model)).to_json())
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    nodes, faults = len(model.graph.node), _faults(model)
    files = onnx_model.save(model, draft.path)  # takes the weights out of a model that is too large for one file
    size = sum(file.stat().st_size for file in files)
    result = ExportResult(nodes, size, opset, onnx_model.CHECKED, max_abs_error)
    draft.result = {**dataclasses.asdict(result), "faults": faults}
    return result


def _faults(model: onnx.ModelProto) -> list[str]:
    try:
        return [str(fault) for fault in native.check(model)]
    except ConversionError as error:
        return [str(error)]
