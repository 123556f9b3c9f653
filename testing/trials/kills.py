"""`kill -9` at random moments of train, export, convert and compare, and checks of the run afterwards.

A process imports the libraries once and forks for each kill. Half of the kills happen at a random time, a third at a
random operation on a file or folder of the run, and one in six between the two renames of a folder swap.
`trial` starts: python -m testing.trials.kills RUN SEED COUNT
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from convnet_core.common.files import digest
from convnet_core.jobs.watcher import newest
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import PIPELINE
from testing.trials.lines import Line

ROOT = Path(__file__).resolve().parent.parent.parent
_TRAIN = ["train", "--train-size", "600", "--test-size", "100", "--validation-size", "0", "--epochs", "2"]
COMMANDS = {
    "train": [*_TRAIN, "--device", "cpu"],
    "export": ["export"],
    "convert": ["convert", "--calibration-size", "10"],
    "compare": [
        *("compare", "--samples", "5", "--batch-sizes", "64"),
        *("--int8-agreement", "0.5", "--int8-accuracy-drop", "0.5"),
    ],
}
_STAGE = {"convert": "convert/native"}
_TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")
_NEVER = 10**9


@dataclasses.dataclass
class KillResults:
    """Counts of one worker's kills, and what went wrong.

    `killed` is by command; `new` counts kills that left the new output, `between` those inside a swap, `resumed` those
    whose training was resumed.
    """

    killed: dict[str, int] = dataclasses.field(default_factory=dict)
    new: int = 0
    between: int = 0
    resumed: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)


def run_forked(
    arguments: list[str], run: Run, log: Path, *, touch: int = _NEVER, rename: int = _NEVER, seconds: float = 0
) -> int:
    """Run a command in a fork that dies after `seconds`, or before its n-th file operation or rename.

    Returns the wait status. A fork that finishes by itself writes its number of file operations to `log`.count.
    """
    child = os.fork()
    if child:
        if seconds:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        return os.waitpid(child, 0)[1]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    folder, count = str(run.path), Counter[str]()

    def watch(event: str, args: tuple[object, ...]) -> None:
        if event not in _TOUCHES or folder not in str(args[0]):
            return
        count["touch"] += 1
        # A swap is two folder renames; the first moves the old folder away.
        count["rename"] += event == "os.rename" and ".json" not in str(args[0])
        if count["touch"] >= touch or count["rename"] >= rename:
            os.kill(os.getpid(), signal.SIGKILL)

    from convnet_core.cli.main import main

    sys.addaudithook(watch)
    status = 1
    try:
        status = main([*arguments, "--run", folder])
        Path(f"{log}.count").write_text(str(count["touch"]))
    finally:
        os._exit(status)


def worker(folder: Path, seed: int, kills: int) -> KillResults:
    """Kill `kills` times, cycling through the commands, always on the run as the last kill left it."""
    import convnet_core.convert.native.converter
    import convnet_core.stages.compare
    import convnet_core.stages.convert
    import convnet_core.stages.export
    import convnet_core.stages.train  # noqa: F401  (import the libraries before forking)
    from convnet_core.common.tensorflow_import import import_tensorflow

    import_tensorflow()
    rng, results, run = random.Random(seed), KillResults(), Run.open(folder)
    log = folder.with_name(f"{folder.name}.log")
    operations, seconds = {}, {}
    for command, arguments in COMMANDS.items():
        start = time.monotonic()
        assert run_forked(arguments, run, log) == 0, log.read_text()[-2000:]
        seconds[command] = time.monotonic() - start
        operations[command] = int(Path(f"{log}.count").read_text())
    stage_results = {stage: run.require(stage).result for stage in PIPELINE}
    weights = digest(run.path / "train/model.safetensors")
    for number in range(2 * kills):  # some commands finish before the kill
        if sum(results.killed.values()) == kills:
            break
        command = list(COMMANDS)[number % len(COMMANDS)]
        stage = _STAGE.get(command, command)
        before = run.require(stage).created
        moment: dict[str, Any] = rng.choice(
            [
                *3 * [{"seconds": rng.uniform(0.01, seconds[command])}],
                *2 * [{"touch": rng.randint(1, operations[command])}],
                {"rename": 2},  # for train, the checkpoint's swap or the final one
            ]
        )
        status = run_forked(COMMANDS[command], run, log, **moment)
        if os.WTERMSIG(status) != signal.SIGKILL:
            continue  # the command did fewer operations this time
        results.killed[command] = results.killed.get(command, 0) + 1
        results.between += not (run.path / stage).exists()
        try:
            run = Run.open(folder)
            check_run(run, command, before)
            results.new += run.require(stage).created != before
            if command == "train" and run.record("checkpoint"):
                assert run_forked(["train", "--resume"], run, log) == 0, log.read_text()[-500:]
                assert digest(run.path / "train/model.safetensors") == weights, "resuming gave different weights"
                results.resumed += 1
            assert run.require("train").result.keys() == stage_results["train"].keys()
        except Exception as error:
            results.faults.append(f"{command} {moment}: {type(error).__name__}: {error}")
    return results


def check_run(run: Run, command: str, before: str) -> None:
    """Assert what must be true of a run after a kill."""
    for stage in (*PIPELINE, "checkpoint"):
        record = run.record(stage)
        if record is None:
            assert stage == "checkpoint", f"{stage} is lost"
            assert not (run.path / stage).exists(), "a checkpoint without a record"
            continue
        for name, written in record.outputs.items():
            assert digest(run.path / stage / name) == written["sha256"], f"{stage}/{name} is half-written"
    names = [path.name for folder in (run.path, run.path / "convert") for path in folder.iterdir()]
    assert not [name for name in names if ".new-" in name or ".old-" in name], f"leftovers: {names}"
    job = newest(run, command)
    if job and job[1].state not in ("died", "done"):
        raise AssertionError(f"the job says {job[1].state}")


def trial(kills: int = 200, processes: int = 2) -> list[Line]:
    """Kill in several processes in parallel, each with its own run."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = Run.create(root / "run0")
        pipeline = ["pipeline", *_TRAIN[1:], "--run", str(first.path), "--device", "cpu"]
        loose = ["--int8-agreement", "0.5", "--int8-accuracy-drop", "0.5"]
        subprocess.run([sys.executable, "-m", "convnet_core", *pipeline, *loose], cwd=ROOT, capture_output=True)
        for number in range(1, processes):
            shutil.copytree(first.path, root / f"run{number}")
        command = [sys.executable, "-m", "testing.trials.kills"]
        workers = [
            subprocess.Popen(
                [*command, str(root / f"run{number}"), str(number), str(kills // processes)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                # Trainings wait for each other's device lock, which is in the cache folder.
                env={**os.environ, "CONVNET_CACHE_DIR": str(root / f"cache{number}")},
            )
            for number in range(processes)
        ]
        outputs = [worker.communicate()[0] for worker in workers]
        assert all(worker.returncode == 0 for worker in workers), outputs
    parts = [json.loads(text.splitlines()[-1]) for text in outputs]
    killed = sum((Counter(part["killed"]) for part in parts), Counter[str]())
    faults = [fault for part in parts for fault in part["faults"]]
    new, between, resumed = (sum(part[name] for part in parts) for name in ("new", "between", "resumed"))
    by_command = ", ".join(f"{name} {count}" for name, count in killed.items())
    success = f"the run opened each time, and every folder was complete: the old one or ({new} times) the new one"
    return [
        Line(
            "`kill -9` at random moments",
            f"{killed.total()} ({by_command})",
            "; ".join(faults[:3]) or success,
            not faults and bool(killed),
        ),
        Line(
            "… between the two renames of a swap", f"{between} of these", "the next start finished the swap", not faults
        ),
        Line(
            "… of train, then `--resume`",
            f"{resumed} of these left a checkpoint",
            "; ".join(faults[:3])
            or ("the same weights as without a kill, bit for bit" if resumed else "no checkpoint to resume"),
            not faults,
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(worker(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
