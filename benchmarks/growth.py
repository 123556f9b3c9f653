"""How cost grows: training with the number of images, comparison and drawing with the size of the graph.

    python -m benchmarks.growth

Writes charts for docs/PERFORMANCE.md; nothing should grow faster than linearly. Memory is the process's peak minus its
size before the digits were generated.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from benchmarks import conversion
from benchmarks.turns import Row, Worker, save
from convnet_core.compare.measure import InputSet
from convnet_core.compare.measure import measure as compare
from convnet_core.graphs import from_onnx
from convnet_core.graphs.boxes import diagram_of
from convnet_core.runtimes.onnxruntime import OnnxRuntime
from pages.components.graph_view.drawing import Drawing

IMAGES = (1_000, 8_000, 60_000, 120_000, 240_000, 480_000)
NODES = (10, 100, 500, 1000, 2000)
_REPEATS = 5
_ENOUGH = 60_000
"""Least number of images in a measurement; small sets train for several epochs."""


def resident() -> float:
    """Resident memory of this process in MB."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024


def training(count: int) -> Callable[[int], tuple[float, float]]:
    """A function that measures images per second of the preset `fast` on `count` images, and peak MB."""
    from benchmarks.training import our_loop
    from convnet_core.config.stages import PRESETS
    from convnet_core.data.split import Split
    from convnet_core.data.strokes import generate
    from convnet_core.training.loop import Tensors

    config = PRESETS["fast"].replace(validation_size=0, device="cpu")
    our_loop(config, Tensors.of(Split(*generate(1000, 9))))  # warm-up for the first training of a process
    before, peak, running = resident(), [0.0], [True]

    def watch() -> None:
        while running[0]:
            peak[0] = max(peak[0], resident())
            time.sleep(0.02)

    def measure(seed: int) -> tuple[float, float]:
        watcher = threading.Thread(target=watch)
        watcher.start()
        data = Tensors.of(Split(*generate(count, seed)))
        epochs = max(1, _ENOUGH // count)
        _, seconds = our_loop(config.replace(epochs=epochs, seed=seed), data)
        running[0] = False
        watcher.join()
        return count * epochs / seconds, peak[0] - before

    return measure


def comparison_seconds(size: int, folder: Path) -> float:
    """Seconds to compare ONNX Runtime with itself on a graph of `size` nodes, 64 samples one by one."""
    model = conversion.chain(size)
    path = folder / f"{size}.onnx"
    onnx.save(model, path)
    samples = {"x": np.random.default_rng(0).random((64, conversion.CHANNELS, 8, 8), np.float32)}
    with OnnxRuntime(path) as runtime:
        start = time.perf_counter()
        compare(runtime, [_Open(path)], [InputSet("samples", samples)], (1,))
        return time.perf_counter() - start


class _Open:
    name, converter = "onnxruntime again", None

    def __init__(self, path: Path) -> None:
        self.open = lambda: OnnxRuntime(path)


def drawing_seconds(size: int) -> float:
    """Seconds to read the graph of a model of `size` nodes, to lay it out, and to make what the browser paints."""
    model = conversion.chain(size)
    start = time.perf_counter()
    Drawing(diagram_of(from_onnx.read(model))).view(frozenset())
    return time.perf_counter() - start


def main() -> None:
    speeds, memory = [], []
    for count in IMAGES:
        measurements = []
        for _ in range(_REPEATS if count <= _ENOUGH else 2):
            with Worker(training, count) as worker:
                measurements.append(worker(1))
        speeds.append(statistics.median(speed for speed, _ in measurements))
        memory.append(max(used for _, used in measurements))
        print(f"{count:>8} images: {speeds[-1]:,.0f} images/s, {memory[-1]:,.0f} MB", flush=True)
    comparing, drawing = [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in NODES:
            comparing.append(statistics.median(comparison_seconds(size, Path(folder)) for _ in range(_REPEATS)))
            drawing.append(statistics.median(drawing_seconds(size) for _ in range(_REPEATS)))
            print(f"{size:>8} nodes: compared in {comparing[-1]:.3f} s, drawn in {drawing[-1]:.3f} s", flush=True)
    slope = (memory[-1] - memory[2]) * 1e6 / (IMAGES[-1] - IMAGES[2])
    rows = [
        Row("training, images per second, 480,000 images", "60,000 images", speeds[-1] / speeds[2],
            speeds[-1] / max(speeds), speeds[-1] / min(speeds), "×", "no slower than linear: ≥ 0.8 ×",
            speeds[-1] / speeds[2] >= 0.8),
        Row("memory of an image while training", "–", slope, slope, slope, "bytes", "–", None,
            "784 are the pixels, 8 the label; from 60,000 to 480,000 images"),
        *(
            Row(f"{what}, a node of 2,000", "a node of 100", at, at, at, "×",
                "no worse than linear: ≤ 1.3 ×", at <= 1.3)
            for what, values in (("comparison", comparing), ("layout and drawing of a graph", drawing))
            for at in [values[-1] / values[1] / 20]
        ),
    ]  # fmt: skip
    charts = {
        "Images per second over the number of training images": {"x": IMAGES, "y": speeds, "unit": "images/s"},
        "Memory over the number of training images": {"x": IMAGES, "y": memory, "unit": "MB"},
        "Comparison over the nodes of a graph": {"x": NODES, "y": comparing, "unit": "s"},
        "Layout and drawing over the nodes of a graph": {"x": NODES, "y": drawing, "unit": "s"},
    }
    save("growth", rows, charts)


if __name__ == "__main__":
    main()
