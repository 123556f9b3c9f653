"""`make soak`: every longer trial, at most 20 minutes, and the table in docs/RELIABILITY.md.

python -m benchmarks.reliability [--kills 200] [--fuzz SECONDS] [--load SECONDS] [--only kills faults fuzz load]
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from testing.trials import faults, fuzz, kills, load
from testing.trials.lines import Line

ROOT = Path(__file__).resolve().parent.parent.parent
_PAGE = ROOT / "docs" / "RELIABILITY.md"
_RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
_MINUTES = 20
_AROUND_LOAD = 240.0  # seconds for the runs that the load needs, its warm-up, and until its sessions are put away
_BEGIN, _END = "<!-- table: make soak -->", "<!-- end of the table -->"


def _faults() -> list[Line]:
    if not faults.can_mount():
        return [Line("faults of the disk", "not tried", "this machine has no `unshare -rm`", False)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "convnet_core", "pipeline", "--run", str(run)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return faults.trial(run)


def write(found: dict[str, dict[str, object]]) -> None:
    """Put the newest lines of every trial into the page, between its marks."""
    rows = ["| what | how often | what happened | |", "| --- | --- | --- | --- |"]
    for name, part in found.items():
        for line in part["lines"]:
            mark = "as it must be" if line["ok"] else "**not** as it must be"
            found_text = " ".join(str(line["found"]).split())
            rows.append(f"| {line['what']} | {line['how_often']} | {found_text} | {mark}, {name}, {part['date']} |")
    text = _PAGE.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    _PAGE.write_text(f"{before}{_BEGIN}\n\n" + "\n".join(rows) + f"\n\n{_END}{after}", encoding="utf-8")


def _what_is_left(began: float) -> float:
    """Seconds for the load after the other trials."""
    return min(420.0, max(60.0, 60 * _MINUTES - _AROUND_LOAD - (time.monotonic() - began)))


def main() -> int:
    began = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--fuzz", type=float, default=90, help="seconds")
    parser.add_argument(
        "--load",
        type=float,
        help=f"seconds; by default what is left of {_MINUTES} minutes, at most 420; memory is judged from 1350 on",
    )
    trials: dict[str, Callable[[argparse.Namespace], list[Line]]] = {
        "kills": lambda args: kills.trial(args.kills),
        "faults": lambda _: _faults(),
        "fuzz": lambda args: fuzz.trial(args.fuzz),
        "load": lambda args: load.trial(_what_is_left(began) if args.load is None else args.load),
    }
    parser.add_argument("--only", nargs="*", choices=list(trials), default=list(trials))
    args = parser.parse_args()
    found = json.loads(_RESULTS.read_text()) if _RESULTS.is_file() else {}
    good = True
    for name in args.only:
        lines = trials[name](args)
        found[name] = {"date": f"{datetime.date.today()}", "lines": [asdict(line) for line in lines]}
        _RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        write(found)
        for line in lines:
            print(f"{'ok ' if line.ok else 'NOT'} {line.what} | {line.how_often} | {line.found}", flush=True)
        good = good and all(line.ok for line in lines)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
