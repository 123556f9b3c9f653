"""Check training on a GPU against the CPU: losses, accuracy, bit-exact stop and resume, export, and speed.

    benchmarks/gpu.sh > gpu.jsonl

Prints one JSON object a line as results arrive: the machine, the rows of the table, and finally the whole table. The
exit status is 1 if a row fails, and 2 if some did not finish in time. Without CUDA it runs a smaller version.

Losses are compared without augmentation, whose random numbers depend on the device, and without TF32. Kernels sum in
different orders, and Adam amplifies small differences: on the CPU, contiguous and channels-last kernels differ by up to
2e-4 in the loss after 5 steps and 5e-3 after 60 in float32, and by 8e-4 and 8e-3 in bfloat16. The limits are about four
times that.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_parts as parts
from benchmarks.gpu_parts import CPU, NotReached, Plan, Row
from convnet_core.config.stages import PRESETS, DataConfig, TrainConfig
from convnet_core.data import digits as data
from convnet_core.errors import one_line
from convnet_core.training.loop import Tensors, choose_device

SECONDS = 205.0
LIMITS = {"losses": 20.0, "accuracy": 40.0, "resume": 20.0, "export": 40.0, "whole": 30.0}
"""Time limit in seconds for a row of each part, out of `SECONDS` in total."""


class Table:
    """Collects and prints rows. A failing row does not stop the next one."""

    def __init__(self, seconds: float) -> None:
        self.rows: list[Row] = []
        self._patience = seconds / SECONDS
        self._start = time.monotonic()
        self._end = self._start + seconds

    def add(self, part: str, config: TrainConfig, preset: str, measure: Callable[[float], Row]) -> None:
        """Measure a row; `measure` gets its deadline (time.monotonic())."""
        start = time.monotonic()
        row: Row = {
            "part": part,
            "preset": preset,
            "precision": config.precision,
            "mode": "graph" if config.cuda_graph else "eager",
        }
        try:
            if start > self._end:
                raise NotReached
            row |= measure(min(self._end, start + self._patience * LIMITS[part]))
        except NotReached:
            row |= {"ok": None, "error": "not reached in time"}
        except Exception as error:  # whatever goes wrong on a GPU, try the next row
            traceback.print_exc()
            row |= {"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"}
        row["took"] = round(time.monotonic() - start, 2)
        self.rows.append(row)
        print_json(row)

    def end(self) -> int:
        """Print the whole table; returns the exit status."""
        results = [row["ok"] for row in self.rows]
        print_json({"table": self.rows, "ok": all(results), "seconds": round(time.monotonic() - self._start, 1)})
        return 1 if False in results else 2 if None in results else 0


def print_json(value: dict[str, Any]) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value), flush=True)


def plan_for(device: torch.device) -> Plan:
    """A plan with MNIST if $CONVNET_DATA_DIR contains it, else generated digits; a smaller one for the CPU."""
    folder = Path(os.environ.get("CONVNET_DATA_DIR") or "-")
    source = "mnist" if any(folder.glob("train-images*")) else "strokes"
    large = device.type == "cuda"
    config = DataConfig(source=source)
    digits = data.load(config if large else config.replace(train_size=2500, test_size=500))
    train, test = Tensors.of(digits.train), Tensors.of(digits.test)
    if large:
        return Plan(device, train, test, steps=60, images=20_000, epochs=2)
    return Plan(device, train, test, steps=10, images=1000, epochs=1)


def machine(plan: Plan) -> dict[str, Any]:
    """The machine, the versions and the amount of data."""
    cuda = plan.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "cuda": torch.version.cuda if cuda else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "images": [len(plan.train), len(plan.test)],
    }


def measure(table: Table, plan: Plan, presets: dict[str, TrainConfig], folder: Path) -> None:
    """Measure all rows: eager mode first, then CUDA graphs, which can fail in the most ways."""
    forever = float("inf")

    @functools.cache
    def cpu_losses(preset: str, precision: str) -> torch.Tensor:
        return parts.losses(plan, presets[preset].replace(precision=precision, device="cpu"), CPU, forever)

    @functools.cache
    def cpu_accuracy(preset: str) -> float:
        _, row = parts.train(plan, presets[preset].replace(device="cpu"), CPU, forever, short=True)
        return float(row["accuracy"])

    for graph in (False, True) if plan.device.type == "cuda" else (False,):
        configs = [
            (name, config.replace(device=plan.device.type, cuda_graph=graph, precision=precision))
            for name, config in presets.items()
            for precision in ("float32", "bfloat16")
        ]
        for name, config in configs:
            expected = functools.partial(cpu_losses, name, config.precision)
            table.add(
                "losses", config, name,
                functools.partial(lambda c, e, end: parts.compare_losses(plan, c, e(), end), config, expected),
            )  # fmt: skip
        for name, config in configs:
            run_folder = folder / f"{name}-{config.precision}-{graph}"
            table.add("resume", config, name, functools.partial(parts.resume, config, run_folder))
        for name, config in configs:
            if not graph and config.precision == "float32":
                table.add("export", config, name, functools.partial(parts.export, plan, config))
        for part, function in (("accuracy", parts.compare_accuracy), ("whole", parts.whole)):
            for name, config in configs:
                table.add(
                    part, config, name,
                    functools.partial(lambda f, c, n, end: f(plan, c, cpu_accuracy(n), end), function, config, name),
                )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--presets", nargs="+", choices=("reference", "accurate"), default=["reference", "accurate"])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="total time limit; slow rows are skipped")
    args = parser.parse_args()
    table = Table(args.seconds)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CONVNET_CACHE_DIR"] = folder
        plan = plan_for(choose_device(TrainConfig(device=args.device)))
        print_json(machine(plan))
        presets = {name: PRESETS[name] for name in args.presets}
        if plan.device.type != "cuda":
            presets = {name: config.replace(epochs=1, validation_size=500) for name, config in presets.items()}
        try:
            measure(table, plan, presets, Path(folder))
        finally:
            status = table.end()
    return status


if __name__ == "__main__":
    sys.exit(main())
