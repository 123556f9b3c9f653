"""Time whole steps as a user runs them: generating digits, the pipeline, a conversion, a comparison.

python -m benchmarks.whole [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from benchmarks.turns import Row, Worker, in_turns, merge_rows, ratio, save, seconds
from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.events import Monitor
from convnet_core.networks.ports import INPUT
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import sources
from convnet_core.runtimes.specs import available

ROOT = Path(__file__).parent.parent


def strokes() -> Callable[[int], float]:
    """A function that measures seconds to generate 60,000 images."""
    from convnet_core.data.strokes import generate

    def measure(seed: int) -> float:
        start = time.perf_counter()
        generate(60_000, seed)
        return time.perf_counter() - start

    return measure


def pipeline(folder: Path, repetition: int | str) -> float:
    """Seconds of the whole process, with digits from the cache."""
    command = [sys.executable, "-m", "convnet_core", "pipeline", "--preset", "fast", "--data", "strokes"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--run", str(folder / str(repetition))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    elapsed = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    return elapsed


def conversion(path: str) -> Callable[[int], float]:
    """A function that measures seconds of our conversion to all formats, without imports."""
    from convnet_core.convert.convert import convert
    from convnet_core.convert.loaded_model import LoadedModel

    model = onnx.load(path)
    samples = {INPUT: np.random.default_rng(0).random((500, 1, 28, 28), np.float32)}

    def measure(_: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            convert(LoadedModel(model), Path(folder), ConvertConfig(), samples, Monitor())
            return time.perf_counter() - start

    return measure


def plain_conversion(path: str) -> Callable[[int], float]:
    """The same with onnx-tf's API, then TensorFlow's TFLite converter for each of the three files."""
    from convnet_core.common.tensorflow_import import import_tensorflow
    from convnet_core.convert.onnx_tf.compat import import_onnx_tf

    backend, tf, model = import_onnx_tf(), import_tensorflow(), onnx.load(path)
    samples = np.random.default_rng(0).random((500, 1, 28, 28), np.float32)

    def tflite(folder: str, kind: str) -> bytes:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if kind != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "int8":
            converter.representative_dataset = lambda: ({INPUT: image[None]} for image in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return bytes(converter.convert())

    def measure(_: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            backend.prepare(model).export_graph(folder)
            for kind in ("fp32", "fp16", "int8"):
                tflite(folder, kind)
            return time.perf_counter() - start

    return measure


def comparison(folder: str) -> Callable[[int], float]:
    """A function that measures seconds of a full comparison, without imports."""
    from convnet_core.compare.measure import measure as compare
    from convnet_core.convert.loaded_model import load_model
    from convnet_core.stages.compare import parallel_runtimes
    from convnet_core.stages.samples import comparison_inputs
    from convnet_core.tensors.model_inputs import InputSpec

    run = Run.open(Path(folder))
    runtimes = sources(run)
    for source in runtimes:
        source.import_library()

    def measure(_: int) -> float:
        start = time.perf_counter()
        chosen = comparison_inputs(run, load_model(run), CompareConfig(full=True), Monitor(), None, InputSpec())
        with runtimes[0].open() as reference:
            compare(reference, runtimes, chosen.inputs, chosen.batch_sizes, None, parallel_runtimes(runtimes))
        return time.perf_counter() - start

    return measure


def measure(what: str, folder: Path, repeats: int) -> Row:
    """Measure one part; `folder` contains a finished run named `first`."""
    if what == "strokes":
        with Worker(strokes) as draw:
            return seconds("strokes: 60,000 images generated", in_turns({what: draw}, repeats)[what], 6)
    if what == "pipeline":
        values = in_turns({what: lambda repetition: pipeline(folder, repetition)}, repeats)[what]
        return seconds("pipeline, preset `fast`, strokes, warm cache, whole process", values, 25)
    if what == "comparison":
        with Worker(comparison, str(folder / "first")) as compare:
            values = in_turns({what: compare}, repeats)[what]
        name = f"full comparison, {len(available())} runtimes × 10,000 images × 4 batch sizes, {os.cpu_count()} at once"
        return seconds(name, values, 8, "after imports; noise and zeros included")
    path = str(folder / "first/export/model.onnx")
    with Worker(conversion, path) as ours, Worker(plain_conversion, path) as plain:
        times = in_turns({"ours": ours, "plain": plain}, repeats)
    detail = f"{np.median(times['ours']):.2f} s against {np.median(times['plain']):.2f} s"
    name = "ONNX → SavedModel and three TFLite files (ours: and the frozen graph)"
    return ratio(name, "onnx-tf's API, then TensorFlow's converter", times["plain"], times["ours"], 1.5, detail)


PARTS = ("strokes", "pipeline", "conversion", "comparison")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline(folder, "first")
        for part in args.only:
            save("whole", merge_rows("whole", [measure(part, folder, args.repeats)]))


if __name__ == "__main__":
    main()
