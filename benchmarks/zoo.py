"""Every network of torchvision up to 100 M parameters through the converter, against ONNX Runtime: docs/ZOO.md.

    python -m benchmarks.zoo [NAME ...] [--again]

Each network runs in a process of its own: fitted (`zoo_networks.py`), exported with a dynamic batch by PyTorch's
default exporter, converted to a SavedModel and a TFLite file, and compared at batch 1 and 3. What was measured stays
in benchmarks/results/zoo.json, so that the table can be made in parts; `--again` measures those anew that are there.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from convnet_core.common.files import write_json, write_whole

RESULTS = Path("benchmarks/results/zoo.json")
PAGE = Path("docs/ZOO.md")
BATCHES = (1, 3)
ALLOWED = 1e-5
"""The largest error, as a part of the range of ONNX Runtime's output."""

_REPEATS = 5
_LONGEST = 3600  # seconds; ends a hang


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Everything about one network; with `refused` where the exporter does not take it."""
    from benchmarks.zoo_networks import noise, recipes

    recipe = next(recipe for recipe in recipes() if recipe.name == name)
    model = recipe.build()
    found: dict[str, Any] = {
        "kind": recipe.kind,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    try:
        dynamic = export(model, recipe.inputs(2, 1), folder / "model.onnx")
    except Exception as error:  # the exporter raises many kinds
        from convnet_core.export.exporter_errors import reason_of

        return {**found, "refused": reason_of(error)}
    feeds = {batch: [tensor.numpy() for tensor in recipe.inputs(batch, 7)] for batch in (BATCHES if dynamic else (2,))}
    found["noise"] = noise(model, recipe.inputs(max(feeds), 7))
    del model
    return {**found, "dynamic": dynamic, **converted(folder, feeds, last=recipe.kind == "optical flow")}


def export(model: Any, inputs: tuple[Any, ...], path: Path) -> bool:
    """Write model.onnx; whether its batch is dynamic. The exporter may fix it, and may say so or not."""
    import torch

    from convnet_core.onnx_files import model_file

    shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(model, inputs, path, dynamo=True, dynamic_shapes=shapes, verbose=False)
        except Exception as first:  # the exporter raises many kinds
            try:
                torch.onnx.export(model, inputs, path, dynamo=True, verbose=False)
            except Exception:
                raise first from None
    return all(info.shape[0] is None for info in model_file.inputs(model_file.load(path)))


def converted(folder: Path, feeds: dict[int, list[Any]], last: bool) -> dict[str, Any]:
    """Convert model.onnx in `folder`, and compare with ONNX Runtime on the feeds of each batch size.

    All outputs, or the `last` alone: the others are kept as `drafts` of it.
    """
    from convnet_core.common.tensorflow_import import import_tensorflow
    from convnet_core.convert import node_map as nodes
    from convnet_core.convert.native import converter
    from convnet_core.convert.signature import Signature
    from convnet_core.convert.targets import saved_model, tflite
    from convnet_core.errors import ConversionError
    from convnet_core.onnx_files import model_file
    from convnet_core.runtimes.litert import LiteRT
    from convnet_core.runtimes.onnxruntime import OnnxRuntime
    from convnet_core.runtimes.tensorflow import TensorFlowSavedModel

    import_tensorflow()
    model = model_file.load(folder / "model.onnx")
    signature = Signature.of(model)
    signature.save(folder)
    began = time.perf_counter()
    function = converter.convert(model)
    concrete = saved_model.trace(function, signature)
    saved_model.save(concrete, folder / "saved_model")
    took = {"saved_model": time.perf_counter() - began}
    began, lacking = time.perf_counter(), ""
    try:
        tflite.save(folder / "saved_model", folder / "model.fp32.tflite", "fp32", {}, signature)
    except ConversionError as error:
        lacking = str(error)
    took["tflite"] = time.perf_counter() - began
    ops = [op["type"] for node in nodes.node_map(model, concrete, function) for op in node["ops"]]

    runtimes = {
        "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2),
        "saved_model": TensorFlowSavedModel(folder / "saved_model", "native"),
    }
    if not lacking:
        runtimes["tflite"] = LiteRT(folder / "model.fp32.tflite", "tflite", "native", threads=2)
    names = [port.onnx for port in signature.inputs]
    inputs = {batch: dict(zip(names, arrays, strict=True)) for batch, arrays in feeds.items()}
    expected = {batch: runtimes["onnxruntime"].infer(given) for batch, given in inputs.items()}
    answers = [port.onnx for port in signature.outputs]
    errors, drafts = {}, dict[str, float]()
    for name in list(runtimes)[1:]:
        by_output = {
            batch: _errors(expected[batch], runtimes[name].infer(given), answers) for batch, given in inputs.items()
        }
        errors[name] = {batch: max(found[-1:] if last else found) for batch, found in by_output.items()}
        if last:
            drafts[name] = max(max(found) for found in by_output.values())
    return {
        "nodes": len(model.graph.node),
        "seconds": took,
        "tensorflow_ops": len(ops),
        "transposes": ops.count("Transpose"),
        "errors": errors,
        "drafts": drafts,
        "no_tflite": lacking,
        "latency_ms": _latencies(
            {**runtimes, "onnxruntime": OnnxRuntime(folder / "model.onnx", threads=2, optimized=True)},
            inputs[min(inputs)],
        ),
    }


def _errors(expected: dict[str, Any], got: dict[str, Any], names: list[str]) -> list[float]:
    """The largest absolute error of each output, as a part of its range."""
    found = []
    for name in names:
        reference = expected[name].astype(np.float64)
        assert reference.shape == got[name].shape, (name, reference.shape, got[name].shape)
        error = float(np.abs(reference - got[name]).max() / np.ptp(reference))
        found.append(error if np.isfinite(error) else float("inf"))
    return found


def _latencies(runtimes: dict[str, Any], feeds: dict[str, Any]) -> dict[str, float]:
    """Milliseconds in the middle of five calls; the runtimes take turns."""
    times: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(_REPEATS):
        for name, runtime in runtimes.items():
            began = time.perf_counter()
            runtime.infer(feeds)
            times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(found) for name, found in times.items()}


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
    from benchmarks.zoo_networks import recipes

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
        write_whole(PAGE, page(results).encode())
        said = f"error {_worst(results[name]):.1e}" if "errors" in results[name] else str(results[name])
        print(f"{name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
