"""Conversion time for graphs of 10 to 2,000 nodes; it must grow at most linearly.

    python -m benchmarks.conversion [--repeats 3]

Each graph is a chain of blocks: a convolution, a ReLU, a skip connection, a product with a constant and a shape that
the model computes, as exporters write them. *read*: the model as a graph. *trace*: TensorFlow's graph. *write*: the
SavedModel. *TFLite*: the fp32 file. Imports are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper

SIZES = (10, 100, 500, 1000, 2000)
CHANNELS = 8


def chain(count: int) -> onnx.ModelProto:
    """A model of about `count` nodes, 8 per block."""
    rng, nodes, weights = np.random.default_rng(0), [], []
    x = "x"
    for block in range(max(1, count // 8)):
        name = f"b{block}"
        kernel = rng.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 9
        weights += [
            onnx.numpy_helper.from_array(kernel, f"{name}.w"),
            onnx.numpy_helper.from_array(np.full((CHANNELS, 1, 1), 0.5, np.float32), f"{name}.s"),
            onnx.numpy_helper.from_array(np.array([1, CHANNELS, -1]), f"{name}.flat"),
        ]
        steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
            ("Conv", [x, f"{name}.w"], "c", {"pads": [1, 1, 1, 1]}),
            ("Relu", [f"{name}.c"], "r", {}),
            ("Add", [f"{name}.r", x], "a", {}),
            ("Mul", [f"{name}.a", f"{name}.s"], "m", {}),
            ("Shape", [f"{name}.m"], "shape", {}),
            ("Reshape", [f"{name}.m", f"{name}.flat"], "f", {}),
            ("Sigmoid", [f"{name}.f"], "g", {}),
            ("Reshape", [f"{name}.g", f"{name}.shape"], "y", {}),
        ]
        nodes += [oh.make_node(op, i, [f"{name}.{o}"], f"{name}.{o}", **attributes) for op, i, o, attributes in steps]
        x = f"{name}.y"
    ports = [oh.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, CHANNELS, 8, 8]) for name in ("x", x)]
    graph = oh.make_graph(nodes, "chain", ports[:1], ports[1:], weights)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)


def seconds(model: onnx.ModelProto) -> dict[str, float]:
    """Seconds of each step, run once."""
    from convnet_core.convert.native import converter
    from convnet_core.convert.signature import Signature
    from convnet_core.convert.targets import saved_model, tflite

    durations: dict[str, float] = {}

    def timed(step: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = call()
        durations[step] = time.perf_counter() - start
        return result

    with tempfile.TemporaryDirectory() as folder:
        signature = Signature.of(model)
        graph = timed("read", lambda: converter.read(model))
        timed("check", lambda: converter.check(graph))
        function = timed("convert", lambda: converter.convert(graph))
        concrete = timed("trace", lambda: saved_model.trace(function, signature))
        path = Path(folder)
        timed("write", lambda: saved_model.save(concrete, path / "saved_model"))
        timed("TFLite", lambda: tflite.save(path / "saved_model", path / "model.tflite", "fp32", {}, signature))
    return durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    from convnet_core.common.tensorflow_import import import_tensorflow

    import_tensorflow()
    seconds(chain(10))  # the first conversion of a process imports more
    print(f"{'nodes':>6} {'read':>8} {'trace':>8} {'write':>8} {'TFLite':>8}   SavedModel, per node")
    for size in SIZES:
        model = chain(size)
        runs = [seconds(model) for _ in range(repeats)]
        median = {step: statistics.median(run[step] for run in runs) for step in runs[0]}
        total = median["read"] + median["convert"] + median["trace"] + median["write"]
        nodes = len(model.graph.node)
        steps = " ".join(f"{median[step]:7.2f}s" for step in ("read", "trace", "write", "TFLite"))
        print(f"{nodes:>6} {steps}   {total:.2f} s, {1000 * total / nodes:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
