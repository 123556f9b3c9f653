"""What each speedup of `common.fast_paths` is worth: training steps with all of them, and with one turned off.

One process each, in turns. They use one thread and count CPU time, so other work on the machine hardly matters.

    python -m benchmarks.fast_paths [--repeats 30]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

from benchmarks.turns import Worker, in_turns
from convnet_core.common.fast_paths import FAST_PATHS, SWITCH

_STEPS = 20


def steps(precision: str, plain: str) -> Callable[[int], float]:
    """A function that measures seconds of CPU time of 20 steps of the preset `reference`, with `plain` turned off."""
    os.environ[SWITCH] = plain
    import torch

    from convnet_core.config.stages import PRESETS
    from convnet_core.data.split import Split
    from convnet_core.data.strokes import generate
    from convnet_core.networks.convnet import build
    from convnet_core.training.loop import Tensors, start_training
    from convnet_core.training.steps import take_step

    torch.set_num_threads(1)
    config = PRESETS["reference"].replace(device="cpu", precision=precision)
    train = Tensors.of(Split(*generate(2000, 0)))
    state = start_training(build(config.model, 0), config, torch.device("cpu"))

    def measure(repetition: int) -> float:
        start = time.process_time()
        for _ in range(_STEPS):
            take_step(state, train, config, torch.randint(2000, (config.batch_size,)))
        return time.process_time() - start

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    for precision in ("float32", "bfloat16"):
        workers = {name: Worker(steps, precision, name) for name in ("", *FAST_PATHS, ",".join(FAST_PATHS))}
        times = in_turns(dict(workers), args.repeats)
        for name, worker in workers.items():
            worker.__exit__()
            ratios = [plain / fast for plain, fast in zip(times[name], times[""], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            step = f"{1e6 * statistics.median(times[name]) / _STEPS:.0f} µs a step"
            print(f"{precision}, off: {name or 'none'}: {step}, {middle:.2f} × ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
