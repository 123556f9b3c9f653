"""`kill -9` at random moments of train, export, convert and compare; what has to hold then is asserted here.

A process imports the libraries once and forks for each kill. Half of the moments are drawn from the time that the
command takes, a third from the things that it does to a file or folder of its run, and one in six lies between the two
renames of a swap.
Run by `trial`: python -m testing.trials.kills RUN SEED COUNT
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
class Found:
    """What came of one process's kills."""

    killed: dict[str, int] = dataclasses.field(default_factory=dict)
    new: int = 0
    between: int = 0
    resumed: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)


def forked(
    arguments: list[str], run: Run, log: Path, *, touch: int = _NEVER, rename: int = _NEVER, seconds: float = 0
) -> int:
    """Run a command in a fork that dies after some seconds, or before its n-th touch or rename; its wait status.

    A fork that ends by itself leaves the number of its touches in `log`.count.
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
        # A swap is two renames of folders; the first takes the old one away.
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


def worker(folder: Path, seed: int, kills: int) -> Found:
    """Kill `kills` times, one command after the other, each on the run as the last one left it."""
    import convnet_core.convert.native.converter
    import convnet_core.stages.compare
    import convnet_core.stages.convert
    import convnet_core.stages.export
    import convnet_core.stages.train  # noqa: F401  (the libraries, before the forks)
    from convnet_core.common.tensorflow_import import import_tensorflow

    import_tensorflow()
    luck, found, run = random.Random(seed), Found(), Run.open(folder)
    log = folder.with_name(f"{folder.name}.log")
    steps, took = {}, {}
    for command, arguments in COMMANDS.items():
        began = time.monotonic()
        assert forked(arguments, run, log) == 0, log.read_text()[-2000:]
        took[command] = time.monotonic() - began
        steps[command] = int(Path(f"{log}.count").read_text())
    results = {stage: run.require(stage).result for stage in PIPELINE}
    weights = digest(run.path / "train/model.safetensors")
    for number in range(2 * kills):  # some commands end before their moment comes
        if sum(found.killed.values()) == kills:
            break
        command = list(COMMANDS)[number % len(COMMANDS)]
        stage = _STAGE.get(command, command)
        before = run.require(stage).created
        where = luck.choice(
            [
                *3 * [{"seconds": luck.uniform(0.01, took[command])}],
                *2 * [{"touch": luck.randint(1, steps[command])}],
                {"rename": 2},  # of a training this is its checkpoint's swap, or the training's own
            ]
        )
        status = forked(COMMANDS[command], run, log, **where)
        if os.WTERMSIG(status) != signal.SIGKILL:
            continue  # the command took fewer steps this time
        found.killed[command] = found.killed.get(command, 0) + 1
        found.between += not (run.path / stage).exists()
        try:
            run = Run.open(folder)
            hold(run, command, before)
            found.new += run.require(stage).created != before
            if command == "train" and run.record("checkpoint"):
                assert forked(["train", "--resume"], run, log) == 0, log.read_text()[-500:]
                assert digest(run.path / "train/model.safetensors") == weights, "resumed to other weights"
                found.resumed += 1
            assert run.require("train").result.keys() == results["train"].keys()
        except Exception as error:
            found.faults.append(f"{command} {where}: {type(error).__name__}: {error}")
    return found


def hold(run: Run, command: str, before: str) -> None:
    """What must be true of a run after a kill."""
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
    """Kill in some processes at once, each with a run of its own."""
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
                # A training waits for the device while another has it, and the lock lies in the cache.
                env={**os.environ, "CONVNET_CACHE_DIR": str(root / f"cache{number}")},
            )
            for number in range(processes)
        ]
        said = [worker.communicate()[0] for worker in workers]
        assert all(worker.returncode == 0 for worker in workers), said
    parts = [json.loads(text.splitlines()[-1]) for text in said]
    killed = sum((Counter(part["killed"]) for part in parts), Counter[str]())
    faults = [fault for part in parts for fault in part["faults"]]
    new, between, resumed = (sum(part[name] for part in parts) for name in ("new", "between", "resumed"))
    each = ", ".join(f"{name} {count}" for name, count in killed.items())
    happy = f"the run opened each time, every folder was whole: the old one or ({new} times) the new one"
    return [
        Line(
            "`kill -9` at random moments",
            f"{killed.total()} ({each})",
            "; ".join(faults[:3]) or happy,
            not faults and bool(killed),
        ),
        Line("… between the two renames of a swap", f"{between} of these", "finished at the next start", not faults),
        Line(
            "… a training, then `--resume`",
            f"{resumed} of these left a checkpoint",
            "; ".join(faults[:3])
            or ("the same weights as without a kill, bit for bit" if resumed else "none was there to resume"),
            not faults,
        ),
    ]


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(worker(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
