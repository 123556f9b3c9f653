"""How cost grows: training over the number of images, comparison and drawing over the size of a graph.

    python -m benchmarks.growth

Charts for docs/PERFORMANCE.md; nothing should be worse than linear. Memory is the largest that the process held, above
what it held before the digits were there.
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
from convnet_core.graphs.graph_file import arranged
from convnet_core.runtimes.onnxruntime import OnnxRuntime

IMAGES = (1_000, 8_000, 60_000, 120_000, 240_000, 480_000)
NODES = (10, 100, 500, 1000, 2000)
_REPEATS = 5
_ENOUGH = 60_000
"""Images at the least in a measurement: of a small set, several epochs."""


def resident() -> float:
    """Memory of this process, MB."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")) / 1024


def trained(count: int) -> Callable[[int], tuple[float, float]]:
    """Images per second of the preset `fast` on so many strokes, and MB while it draws and trains."""
    from benchmarks.training import our_loop
    from convnet_core.config.stages import PRESETS
    from convnet_core.data.split import Split
    from convnet_core.data.strokes import generate
    from convnet_core.training.loop import Tensors

    config = PRESETS["fast"].replace(validation_size=0, device="cpu")
    our_loop(config, Tensors.of(Split(*generate(1000, 9))))  # what the first training of a process sets up
    before, most, going = resident(), [0.0], [True]

    def watch() -> None:
        while going[0]:
            most[0] = max(most[0], resident())
            time.sleep(0.02)

    def measure(seed: int) -> tuple[float, float]:
        watcher = threading.Thread(target=watch)
        watcher.start()
        data = Tensors.of(Split(*generate(count, seed)))
        epochs = max(1, _ENOUGH // count)
        _, seconds = our_loop(config.replace(epochs=epochs, seed=seed), data)
        going[0] = False
        watcher.join()
        return count * epochs / seconds, most[0] - before

    return measure


def compared(size: int, folder: Path) -> float:
    """Seconds to compare ONNX Runtime with itself on a graph of so many nodes, 64 samples one by one."""
    model = conversion.chain(size)
    path = folder / f"{size}.onnx"
    onnx.save(model, path)
    samples = {"x": np.random.default_rng(0).random((64, conversion.CHANNELS, 8, 8), np.float32)}
    with OnnxRuntime(path) as runtime:
        began = time.perf_counter()
        compare(runtime, [_Open(path)], [InputSet("samples", samples)], (1,))
        return time.perf_counter() - began


class _Open:
    name, converter = "onnxruntime again", None

    def __init__(self, path: Path) -> None:
        self.open = lambda: OnnxRuntime(path)


def drawn(size: int) -> float:
    """Seconds to lay a graph of so many nodes out and to make its figure."""
    from pages.charts.graph import draw

    model = conversion.chain(size)
    began = time.perf_counter()
    draw(arranged(from_onnx.read(model)), [], None, whole=True)
    return time.perf_counter() - began


def main() -> None:
    speeds, memory = [], []
    for count in IMAGES:
        found = []
        for _ in range(_REPEATS if count <= _ENOUGH else 2):
            with Worker(trained, count) as worker:
                found.append(worker(1))
        speeds.append(statistics.median(speed for speed, _ in found))
        memory.append(max(used for _, used in found))
        print(f"{count:>8} images: {speeds[-1]:,.0f} images/s, {memory[-1]:,.0f} MB", flush=True)
    comparing, drawing = [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in NODES:
            comparing.append(statistics.median(compared(size, Path(folder)) for _ in range(_REPEATS)))
            drawing.append(statistics.median(drawn(size) for _ in range(_REPEATS)))
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
