"""Small valid examples of a run's JSON documents, and an ONNX model with functions."""

from __future__ import annotations

import dataclasses

import onnx.parser

from convnet_core import events
from convnet_core.config import stages

_DIGEST = "0" * 64

GRAPH = {
    "format": "onnx",
    "name": "g",
    "modules": {"m": "Linear"},
    "properties": {"opset": "18"},
    "nodes": [
        {"id": "a", "name": "a", "op": "Relu", "version": 14, "attributes": {}, "inputs": ["x"], "outputs": ["y"]},
        {"id": "x", "name": "x", "op": "Input", "kind": "input", "outputs": ["x"], "modules": ["m"]},
    ],
    "edges": [{"source": "x", "target": "a", "tensor": "x"}],
    "tensors": [
        {"name": "x", "dtype": "float32", "shape": ["batch", None, 2], "kind": "input", "statistics": None},
        {
            "name": "w",
            "shape": [2],
            "statistics": {
                "count": 2,
                "not_finite": 0,
                "min": 0.0,
                "max": 1.0,
                "mean": 0.5,
                "std": 0.5,
                "zeros": 0.5,
                "counts": [1, 1],
                "low": 0.0,
                "high": 1.0,
            },
        },
    ],
}
METRICS = {
    "test": {"test_accuracy": 0.9, "test_loss": 0.1, "seconds": 1.5, "device": "cpu"},
    "confusion": [[1] * 10] * 10,
    "mistakes": [{"index": 3, "truth": 1, "answer": 7, "probability": 0.9}],
    "history": [
        {
            "epoch": 1.0,
            "step": 2,
            "total_steps": 2,
            "loss": 0.5,
            "accuracy": 0.5,
            "learning_rate": 0.1,
            "images_per_second": 9.0,
            "seconds_left": 0.0,
            "validation_loss": None,
            "validation_accuracy": 0.5,
        }
    ],
}
RUNTIME = {
    "name": "litert",
    "converter": "native",
    "bytes": 3,
    "timings": [{"batch": 1, "calls": 2, "median_ms": 1.0}],
}
BENCHMARK = {
    "created": "2026-01-01",
    "machine": {"cpu": "c", "cores": 2, "system": "Linux"},
    "versions": {"torch": "2"},
    "config": stages.BenchmarkConfig().to_json(),
    "runtimes": [RUNTIME],
}
SEEN = {
    "whole": {"relative": 0.1, "max": 0.1, "mean": 0.1, "cosine": 0.9, "histogram": [0, 3, 1]},
    "own": 0.1,
    "multiple": 2.0,
    "born": True,
    "beyond": True,
    "remade": False,
}
NODES = [
    {
        "name": "a",
        "op_type": "Gemm",
        "version": 13,
        "inputs": ["x", "w"],
        "outputs": ["y"],
        "ops": [{"name": "a/MatMul", "type": "MatMul", "shapes": [[None, 2], None], "inputs": ["x"], "perm": []}],
        "tensors": [{"tensor": "a/MatMul:0", "constant": False, "place": {"source": "y", "perm": [1, 0]}}],
        "weights": {"w": {"source": "w", "constant": ""}},
        "became": "ops",
        "of": "",
    }
]

_LABELS = {"label_agreement": 0.99, "accuracy_drop": 0.01}
REPORT = {
    "title": "t",
    "created": "2026-01-01",
    "verdict": "agree",
    "reference": "a",
    "tolerance": {"rtol": 1e-4, "atol": 1e-5, "rule": "r", "fp16": _LABELS, "int8": _LABELS},
    "runtimes": [{"name": "a", "passed": True}],
    "results": [],
}
DISSECTION = {
    "title": "t",
    "config": {"lesson": "none", "converter": "native"},
    "runtimes": ["onnxruntime", "tensorflow"],
    "findings": [{"kind": "k", "text": "wrong", "mend": "do", "node": "a", "runtimes": ["tensorflow"]}],
    "nodes": [
        {
            "name": "a",
            "op": "Gemm",
            "output": "y",
            "range": [0.0, 1.0],
            "noise": 0.1,
            "runtimes": {"tensorflow": SEEN},
            "shape_differs": {"litert": [1]},
        }
    ],
    "entries": NODES,
    "litert": [{"type": "CONV_2D", "nodes": ["a"], "shapes": [[1]]}],
    "weights": [
        {
            "name": "w",
            "node": "a",
            "shape": [1],
            "there": [1],
            "place": {"source": "w", "perm": [0], "split": []},
            "error": "inf",
        }
    ],
    "fusions": {
        "formula": "f",
        "nodes": [
            {
                "node": "a",
                "where": "ONNX",
                "epsilon": 0.1,
                "channel": {"γ": 1.0},
                "error": 0.0,
                "fits": 0.1,
                "error_as_it_fits": 0.0,
            }
        ],
    },
    "transposes": [{"node": "a", "op": "T", "what": "layout", "perm": [0]}],
    "labels": {
        "tensorflow": {
            "samples": 2,
            "agreement": 0.5,
            "accuracy": None,
            "max_error": 0.1,
            "could_flip": 1,
            "closest": [0],
            "margins": [0.1],
            "flipped": 1,
            "examples": [0],
            "answers": [[1, 2]],
        }
    },
    "sweep": [{"runtime": "tensorflow", "batch": 1, "fault": "", "shape": [1]}],
    "worst": [{"runtime": "tensorflow", "before": 0.1, "found": 0.2, "steps": 2}],
}

STAGE = {
    "stage": "export",
    "created": "2026-01-01T00:00:00.000+00:00",
    "seconds": 1.5,
    "config": stages.TrainConfig().to_json(),
    "result": {"history": []},
    "inputs": {"train/model.safetensors": _DIGEST, "data": _DIGEST},
    "outputs": {"model.onnx": {"sha256": _DIGEST, "bytes": 3, "mtime_ns": 1}},
    "versions": {"torch": "2"},
}

JOB = {"id": "j", "command": "train", "state": "running", "started": "2026-01-01T00:00:00+00:00", "pid": 1}
EVENTS = (
    events.StageStarted(stage="train"),
    events.Progress(label="reading", done=1, total=2),
    events.Metrics(
        epoch=1, step=1, total_steps=2, loss=0.5, accuracy=0.5, learning_rate=0.1, images_per_second=9, seconds_left=1
    ),
    events.StageDone(stage="train", seconds=1.0),
    events.Message(text="done"),
)

HISTORY = {"metrics": [dataclasses.asdict(EVENTS[2])]}

_WITH_FUNCTIONS = """
<ir_version: 10, opset_import: ["": 18, "f": 1]>
g (float[n, 3] x) => (float[n, 3] y) { y = f.twice (x) }
<domain: "f", opset_import: ["": 18, "f": 1]>
twice (a) => (b) { c = f.once (a) b = f.once (c) }
<domain: "f", opset_import: ["": 18, "f": 1]>
once (a) => (b) { b = Relu (a) }
"""


def with_functions() -> bytes:
    """An ONNX file with a function that calls another one."""
    return bytes(onnx.parser.parse_model(_WITH_FUNCTIONS).SerializeToString())
