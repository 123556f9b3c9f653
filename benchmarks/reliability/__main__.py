"""`make soak`: run all long trials, in at most 20 minutes, and update the table in docs/RELIABILITY.md.

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
from typing import Any

from testing.trials import faults, fuzz, kills, load
from testing.trials.lines import Line

ROOT = Path(__file__).resolve().parent.parent.parent
_PAGE = ROOT / "docs" / "RELIABILITY.md"
_RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
_MINUTES = 20
_AROUND_LOAD = 240.0  # seconds for the load's runs, its warm-up, and its cleanup
_BEGIN, _END = "<!-- table: make soak -->", "<!-- end of the table -->"


def _faults() -> list[Line]:
    if not faults.can_mount():
        return [Line("faults of the disk", "not tried", "this machine has no `unshare -rm`", False)]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "convnet_core", "pipeline", "--run", str(run)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return faults.trial(run)


def write(results: dict[str, dict[str, Any]]) -> None:
    """Update the table on the page with the latest lines of every trial."""
    rows = ["| what | how often | what happened | |", "| --- | --- | --- | --- |"]
    for name, part in results.items():
        for line in part["lines"]:
            mark = "as expected" if line["ok"] else "**not** as expected"
            outcome = " ".join(str(line["found"]).split())
            rows.append(f"| {line['what']} | {line['how_often']} | {outcome} | {mark}, {name}, {part['date']} |")
    text = _PAGE.read_text(encoding="utf-8")
    before, after = text.split(_BEGIN)[0], text.split(_END)[1]
    _PAGE.write_text(f"{before}{_BEGIN}\n\n" + "\n".join(rows) + f"\n\n{_END}{after}", encoding="utf-8")


def _load_seconds(start: float) -> float:
    """Seconds left for the load trial."""
    return min(420.0, max(60.0, 60 * _MINUTES - _AROUND_LOAD - (time.monotonic() - start)))


def main() -> int:
    start = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--fuzz", type=float, default=90, help="seconds")
    parser.add_argument(
        "--load",
        type=float,
        help=f"seconds; by default the rest of {_MINUTES} minutes, at most 420; memory growth needs at least 1350",
    )
    trials: dict[str, Callable[[argparse.Namespace], list[Line]]] = {
        "kills": lambda args: kills.trial(args.kills),
        "faults": lambda _: _faults(),
        "fuzz": lambda args: fuzz.trial(args.fuzz),
        "load": lambda args: load.trial(_load_seconds(start) if args.load is None else args.load),
    }
    parser.add_argument("--only", nargs="*", choices=list(trials), default=list(trials))
    args = parser.parse_args()
    results = json.loads(_RESULTS.read_text()) if _RESULTS.is_file() else {}
    success = True
    for name in args.only:
        lines = trials[name](args)
        results[name] = {"date": f"{datetime.date.today()}", "lines": [asdict(line) for line in lines]}
        _RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        write(results)
        for line in lines:
            print(f"{'ok ' if line.ok else 'NOT'} {line.what} | {line.how_often} | {line.found}", flush=True)
        success = success and all(line.ok for line in lines)
    return int(not success)


if __name__ == "__main__":
    sys.exit(main())
