"""Every network of torchvision up to 100 M parameters through the converter, against ONNX Runtime: docs/ZOO.md.

    python -m benchmarks.zoo [NAME ...] [--again]

Each network runs in a process of its own: fitted (`zoo_networks.py`), exported with a dynamic batch by PyTorch's
default exporter, converted to a SavedModel and a TFLite file, and compared at batch 1 and 3. What was measured stays
in benchmarks/results/zoo.json, so that the table can be made in parts; `--again` measures those anew that are there.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from convnet_core.common.files import write_atomic, write_json
from testing.zoo import ALLOWED, measure

RESULTS = Path("benchmarks/results/zoo.json")
PAGE = Path("docs/ZOO.md")

_LONGEST = 3600  # seconds; ends a hang


def page(results: dict[str, Any]) -> str:
    """docs/ZOO.md."""
    done = {name: found for name, found in results.items() if "errors" in found}
    good = [name for name, found in done.items() if _worst(found) <= ALLOWED]
    lines = [
        "# The zoo",
        "",
        "torchvision's networks through the project's converter, against ONNX Runtime. Every parameter is drawn at "
        "random and batch norm fitted, so that the output has a standard deviation near 1; exported by PyTorch's "
        "default exporter with a dynamic batch where it allows one. Errors are the largest at batch 1 and 3, as a part "
        "of the output's range; *noise* is what float32 alone does (PyTorch against itself in float64). "
        "Latencies are those of batch 1, as a multiple of ONNX Runtime's, on two shared cores.",
        "",
        f"Made by `python -m benchmarks.zoo` on {date.today()}, Python {platform.python_version()}: **{len(good)} of "
        f"{len(done)}** networks within {ALLOWED:g} of the range, both as SavedModel and as TFLite.",
    ]
    kinds = sorted({found["kind"] for found in done.values()})
    for kind in kinds:
        some = {name: found for name, found in done.items() if found["kind"] == kind}
        lines += ["", f"## {kind.capitalize()}", "", *_drafts(some), *_table(some)]
    others = {name: found for name, found in results.items() if name not in done}
    if others:
        lines += ["", "## Not converted", "", "| network | why |", "| --- | --- |"]
        lines += [
            f"| {name} | {'the exporter refuses it' if 'refused' in found else 'failed'}: "
            f"`{(found.get('refused') or found['failed']).replace('|', '/')}` |"
            for name, found in sorted(others.items())
        ]
    return "\n".join(lines) + "\n"


def _drafts(results: dict[str, Any]) -> list[str]:
    """What is to be said of networks that refine their answer, where only the last one counts."""
    worst = {name: max(found["drafts"].values()) for name, found in results.items() if found.get("drafts")}
    if not worst:
        return []
    said = ", ".join(f"{name} {error:.1e}" for name, error in sorted(worst.items()))
    return [
        "These networks give their answer after each of twelve refinements. The last one counts here. The first ones "
        "are differences of coordinates that are still near zero, enlarged eight times; float32 itself does not "
        f"resolve them better (the largest error of any refinement, as a part of its own range: {said}).",
        "",
    ]


def _table(results: dict[str, Any]) -> list[str]:
    lines = [
        "| network | parameters | ONNX nodes | TensorFlow ops | transposes | convert | TFLite | noise "
        "| SavedModel's error | TFLite's error | SavedModel's latency | TFLite's latency |",
        "| --- |" + " ---: |" * 11,
    ]
    for name, found in sorted(results.items()):
        base = found["latency_ms"]["onnxruntime"]
        errors = [found["noise"], *(_largest(found, runtime) for runtime in ("saved_model", "tflite"))]
        latencies = [found["latency_ms"].get(runtime) for runtime in ("saved_model", "tflite")]
        fixed = "" if found["dynamic"] else " (batch fixed by the exporter)"
        lines.append(
            f"| {name}{fixed} | {found['parameters'] / 1e6:.1f} M | {found['nodes']} | {found['tensorflow_ops']} "
            f"| {found['transposes']} | {found['seconds']['saved_model']:.1f} s | {found['seconds']['tflite']:.1f} s "
            f"| {' | '.join('–' if error is None else f'{error:.1e}' for error in errors)} "
            f"| {' | '.join('–' if item is None else f'{item / base:.2f} ×' for item in latencies)} |"
        )
    lacking = {name: found["no_tflite"] for name, found in sorted(results.items()) if found.get("no_tflite")}
    return [*lines, *("" for _ in lacking), *(f"{name}: {reason}." for name, reason in lacking.items())]


def _largest(found: dict[str, Any], runtime: str) -> float | None:
    by_batch = found["errors"].get(runtime)
    return max(by_batch.values()) if by_batch else None


def _worst(found: dict[str, Any]) -> float:
    return max(error for by_batch in found["errors"].values() for error in by_batch.values())


def _in_a_process(name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.zoo", "--one", name, "--folder", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
        except subprocess.TimeoutExpired:
            return {"failed": f"took more than {_LONGEST} s"}
        path = Path(folder) / "found.json"
        if path.exists():
            return dict(json.loads(path.read_text()))
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:300]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these alone (default: all)")
    parser.add_argument("--again", action="store_true", help="also what was measured before")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        write_json(args.folder / "found.json", measure(args.one, args.folder))
        return
    from testing.zoo_networks import recipes

    known = [recipe.name for recipe in recipes()]
    if unknown := sorted(set(args.names) - set(known)):
        parser.error(f"no network {', '.join(unknown)} in torchvision, or it is too large")
    for name in args.names or known:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        if name in results and not args.again and "failed" not in results[name]:
            continue
        began = time.monotonic()
        results[name] = _in_a_process(name)
        RESULTS.parent.mkdir(exist_ok=True)
        write_json(RESULTS, dict(sorted(results.items())))
        write_atomic(PAGE, page(results).encode())
        said = f"error {_worst(results[name]):.1e}" if "errors" in results[name] else str(results[name])
        print(f"{name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
