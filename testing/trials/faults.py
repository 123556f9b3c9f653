"""Real system faults: a full disk, a read-only folder, too few file descriptors, no shared memory.

Each case sets up mounts in a private namespace (`unshare`), then runs a command there on a copy of a finished run.
`trial` starts: unshare -rm python -m testing.trials.faults CASE COMMAND RUN FOLDER
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from convnet_core.common.files import digest
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import PIPELINE
from testing.trials.kills import COMMANDS, ROOT
from testing.trials.lines import Line

CASES = {
    "a full disk": 2,
    "a folder that is read-only": 2,
    "a folder on another file system": 0,
    "8 file descriptors": 2,
    "no /dev/shm": 0,
}
"""The exit status that every command must have in each case."""


def can_mount() -> bool:
    """Whether this machine allows private namespaces with their own mounts."""
    return (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    )


def prepare(case: str, run: Path, folder: Path) -> Run:
    """Set up the case; returns a copy of the run in it."""
    size = "8m" if case == "a full disk" else "200m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    copy = Run.open(Path(shutil.copytree(run, folder / "run")))
    match case:
        case "a full disk":
            free = shutil.disk_usage(folder).free
            (folder / "filler").write_bytes(bytes(free - 40_000))  # leaves room for a job's files, not for a stage's
        case "a folder that is read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        case "no /dev/shm":
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=000,ro", "tmpfs", "/dev/shm"], check=True)
    return copy


def check_command(case: str, command: str, run: Path, folder: Path) -> list[str]:
    """Run a command in a case; returns what it did wrong."""
    copy = prepare(case, run, folder)
    before = stage_digests(copy)
    prefix = ["bash", "-c", 'ulimit -n 8; exec "$@"', "-"] if case == "8 file descriptors" else []
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "convnet_core", *COMMANDS[command], "--run", str(copy.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    faults = []
    if done.returncode != CASES[case]:
        faults.append(f"exit status {done.returncode}: {done.stderr[-1000:]}")
    if done.returncode == 2:
        error_lines = [line for line in done.stderr.splitlines() if line.startswith("error")]
        if len(error_lines) != 1 or "Traceback" in done.stderr:
            faults.append(f"not one clear line: {done.stderr[-1000:]}")
        if stage_digests(copy) != before:
            faults.append("the old artifacts changed")
        names = [path.name for path in copy.path.iterdir() if ".new-" in path.name or ".old-" in path.name]
        faults += [f"left behind: {name}" for name in names]
    return faults


def stage_digests(run: Run) -> dict[str, str]:
    """The digest of every file of every stage."""
    return {
        str(path): digest(path)
        for stage in PIPELINE
        for path in sorted((run.path / stage).rglob("*"))
        if path.is_file()
    }


def trial(run: Path, cases: dict[str, int] = CASES, commands: tuple[str, ...] = tuple(COMMANDS)) -> list[Line]:
    """Run every command in every case, on copies of a finished run."""
    lines = []
    for case, status in cases.items():
        faults = []
        for command in commands:
            with tempfile.TemporaryDirectory() as folder:
                argv = [
                    "unshare",
                    "-rm",
                    sys.executable,
                    "-m",
                    "testing.trials.faults",
                    case,
                    command,
                    str(run),
                    folder,
                ]
                done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
                problems = json.loads(done.stdout.splitlines()[-1]) if not done.returncode else [done.stderr[-500:]]
                faults += [f"{command}: {fault}" for fault in problems]
        success = "works" if not status else "one clear line, exit status 2, the old artifacts unchanged"
        lines.append(Line(case, ", ".join(commands), "; ".join(faults) or success, not faults))
    return lines


if __name__ == "__main__":
    print(json.dumps(check_command(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
