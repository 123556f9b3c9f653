"""Compare the speed of our converter's SavedModel with onnx-tf's, and with ONNX Runtime on the same ONNX file.

    python -m benchmarks.saved_models [--repeats 7]

Uses the ConvNet of the reference recipe and batches of 512 and 1; each runtime has its own process and one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.turns import Row, Worker, in_turns, ratio, save
from convnet_core.config.stages import PRESETS, ConvertConfig, ExportConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.events import Monitor
from convnet_core.export.onnx_export import export
from convnet_core.networks.convnet import build
from convnet_core.networks.ports import INPUT
from convnet_core.onnx_files import model_file

_CALLS = {512: 5, 1: 400}


def runtime(folder: str, kind: str, batch: int) -> Callable[[int], float]:
    """A function that measures seconds for one batch."""
    from convnet_core.runtimes.onnxruntime import OnnxRuntime
    from convnet_core.runtimes.tensorflow import TensorFlowSavedModel

    path = Path(folder)
    inference = (
        OnnxRuntime(path / model_file.FILE, optimized=True)
        if kind == "onnxruntime"
        else TensorFlowSavedModel(path / kind / "saved_model", kind)
    )
    feeds = inference.prepared({INPUT: np.random.default_rng(0).random((batch, 1, 28, 28), np.float32)})
    for _ in range(5):
        inference.infer(feeds)

    def measure(_: int) -> float:
        start = time.perf_counter()
        for _ in range(_CALLS[batch]):
            inference.infer(feeds)
        return (time.perf_counter() - start) / _CALLS[batch]

    return measure


def convert_with_both(folder: Path) -> dict[str, str]:
    """Export and convert with both converters; returns the TensorFlow ops of each with their counts."""
    model = export(build(PRESETS["reference"].model, 0), ExportConfig()).model
    model_file.save(model, folder)
    ops = {}
    for converter in ("native", "onnx-tf"):
        (folder / converter).mkdir()
        samples = {INPUT: np.random.default_rng(0).random((50, 1, 28, 28), np.float32)}
        convert(
            LoadedModel(model),
            folder / converter,
            ConvertConfig.from_json({"converter": converter}),
            samples,
            Monitor(),
        )
        entries = json.loads((folder / converter / "nodes.json").read_text())
        counts = Counter(op["type"] for entry in entries for op in entry["ops"])
        ops[converter] = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return ops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        ops = convert_with_both(Path(folder))
        for batch, target in ((512, 1.7), (1, 1.3)):
            with (
                Worker(runtime, folder, "native", batch) as ours,
                Worker(runtime, folder, "onnx-tf", batch) as theirs,
                Worker(runtime, folder, "onnxruntime", batch) as reference,
            ):
                times = in_turns({"native": ours, "onnx-tf": theirs, "onnxruntime": reference}, args.repeats)
            what = f"SavedModel of our own converter, a batch of {batch}"
            scale, unit = (1e3, "ms") if batch > 1 else (1e6, "µs")
            medians = {name: float(np.median(values)) * scale for name, values in times.items()}
            detail = ", ".join(f"{name} {value:.3g} {unit}" for name, value in medians.items())
            ops_of = f"; ops: native {ops['native']}; onnx-tf {ops['onnx-tf']}" if batch > 1 else ""
            rows.append(ratio(what, "onnx-tf's SavedModel", times["onnx-tf"], times["native"], target, detail + ops_of))
            row = ratio(what, "ONNX Runtime", times["onnxruntime"], times["native"], 1 / 1.6, detail)
            rows.append(Row(**{**row.__dict__, "met": row.met if batch > 1 else None,
                               "target": "≥ 0.63 × (within 1.6 ×)" if batch > 1 else "–"}))  # fmt: skip
    save("saved_models", rows)


if __name__ == "__main__":
    main()
