"""Find the releases of TensorFlow and LiteRT that open the converter's files: docs/COMPATIBILITY.md.

    python -m benchmarks.compatibility FOLDER [RELEASE ...] [--again]

Writes the artifacts of `compatibility_networks.py` into FOLDER once. For each release it creates a temporary virtual
environment there, in which `compatibility_probe.py` opens them without any of the project's code. Needs every Python
named below on the PATH; releases whose Python is missing are skipped. Results are saved in
benchmarks/results/compatibility.json; `--again` repeats those already there.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convnet_core.common.files import read_json, write_atomic, write_json

RESULTS = Path("benchmarks/results/compatibility.json")
PAGE = Path("docs/COMPATIBILITY.md")
PROBE = Path(__file__).with_name("compatibility_probe.py")
LONGEST = 1800  # seconds; ends a hang

ALLOWED = {"fp32": 1e-5, "fp16": 1e-3, "int8": 5e-2}
"""The largest allowed error of TFLite files, as a fraction of the range; 1e-5 for all other artifacts."""

COLUMNS = {
    "saved_model": "SavedModel",
    "serving": "`model/1/`",
    "frozen": "frozen graph",
    "fp32": "TFLite fp32",
    "fp16": "TFLite fp16",
    "int8": "TFLite int8",
}
MODULES = {"tensorflow-cpu": "tensorflow", "ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


@dataclass(frozen=True)
class Release:
    """A package version, and the newest Python that it has wheels for."""

    package: str
    version: str
    python: str

    @property
    def name(self) -> str:
        """The requirement for pip."""
        return f"{self.package}=={self.version}"

    @property
    def constraints(self) -> list[str]:
        """Version limits that old releases do not declare; later versions break their import."""
        if self.package == "tensorflow-cpu" and _number(self.version) < (2, 12):
            return ["protobuf<3.21", "numpy<1.24"]
        return ["numpy<2"] if self.package == "tflite-runtime" or _number(self.version)[0] == 1 else []


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


RELEASES = [
    Release(package, number, python)
    for package, python, numbers in (
        ("tensorflow-cpu", "3.9", "2.7.4"),
        ("tensorflow-cpu", "3.10", "2.8.4 2.9.3 2.10.1 2.11.1"),
        ("tensorflow-cpu", "3.11", "2.12.1 2.13.1 2.14.1 2.15.1"),
        ("tensorflow-cpu", "3.12", "2.16.2 2.17.1 2.18.1 2.19.1"),
        ("tensorflow-cpu", "3.13", "2.20.0 2.21.0"),
        ("tflite-runtime", "3.9", "2.7.0 2.9.1 2.11.0 2.13.0"),
        ("tflite-runtime", "3.11", "2.14.0"),
        ("ai-edge-litert", "3.11", "1.0.1"),
        ("ai-edge-litert", "3.12", "1.4.0"),
        ("ai-edge-litert", "3.13", "2.1.0 2.3.0"),
    )
    for number in numbers.split()
]


def try_release(release: Release, python: str, artifacts: Path) -> dict[str, Any]:
    """The result of one release for every network: an error figure or message by artifact, or why it could not run."""
    environment = artifacts.parent / f"environment-{release.package}-{release.version}"
    shutil.rmtree(environment, ignore_errors=True)
    try:
        _run(python, "-m", "venv", environment)
        interpreter = environment / "bin/python"
        _run(interpreter, "-m", "pip", "install", "--quiet", "--no-cache-dir", release.name, *release.constraints)
        return {
            "numpy": _run(interpreter, "-c", "import numpy; print(numpy.__version__)"),
            "networks": {
                folder.name: json.loads(_run(interpreter, PROBE, MODULES[release.package], folder).splitlines()[-1])
                for folder in sorted(artifacts.iterdir())
            },
        }
    except RuntimeError as error:
        return {"missing": str(error)}
    finally:
        shutil.rmtree(environment, ignore_errors=True)


def _run(*command: object) -> str:
    """Run a command; returns its output. Raises RuntimeError with a one-line reason if it fails."""
    words = list(map(str, command))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{Path(words[1]).name} took more than {LONGEST} s") from error
    if done.returncode == 0:
        return done.stdout.strip()
    if done.returncode < 0:
        raise RuntimeError(f"{Path(words[1]).name} died of {signal.Signals(-done.returncode).name}")
    raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:300])


def page(results: dict[str, Any], networks: dict[str, str]) -> str:
    """docs/COMPATIBILITY.md."""
    entries = {release: results[release.name] for release in RELEASES if release.name in results}
    lines = _INTRODUCTION.format(
        tensorflow=version("tensorflow"),
        numpy=version("numpy"),
        today=date.today(),
        networks="; ".join(f"`{name}`, {what}" for name, what in networks.items()),
        fp16=ALLOWED["fp16"],
        int8=ALLOWED["int8"],
        oldest=_oldest([release for release in entries if "tensorflow" in release.package], entries),
    ).splitlines()
    for title, packages, columns in (
        ("TensorFlow", ("tensorflow-cpu",), list(COLUMNS)),
        ("LiteRT", ("tflite-runtime", "ai-edge-litert"), list(ALLOWED)),
    ):
        heads = " | ".join(COLUMNS[kind] for kind in columns)
        lines += ["", f"## {title}", "", f"| release | Python | NumPy | {heads} |"]
        lines += ["| --- |" + " ---: |" * (2 + len(columns))]
        lines += [_row(release, entry, columns) for release, entry in entries.items() if release.package in packages]
    failures = _failures(entries)
    if failures:
        lines += ["", "## What fails", "", "| artifact | reason | networks | releases |", "| --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(line)} |" for line in failures]
    return "\n".join([*lines, *_SERVING.splitlines()]) + "\n"


_INTRODUCTION = """\
# Compatibility

Releases that open the files of the project's own converter. The artifacts were written once, with TensorFlow
{tensorflow} and NumPy {numpy}; each release opened them in a fresh environment, with a script that uses none of the
project's code (`benchmarks/compatibility_probe.py`). Generated by `python -m benchmarks.compatibility FOLDER` on
{today}, on Linux (x86-64).

**Claimed: TensorFlow {oldest} and later.** Since that release, every artifact below opens and gives the right answer.

Networks: {networks}.
Parameters are random; the networks were exported with a batch of 2 and run with 3.

- *SavedModel*: `tf.saved_model.load(FOLDER).signatures["serving_default"]`.
- *`model/1/`*: the same files laid out for serving, and loaded the way TensorFlow Serving does it: the graph with the
  tag `serve`, restored by its own saver op, run in a session by the names in its signature. TensorFlow Serving itself
  was not run: the package registries only have its client.
- *frozen graph*: the GraphDef in a session.
- *TFLite*: the file in `tf.lite.Interpreter`, or in that of the runtime's own package, resized to the batch.

A cell is the largest error over all networks, as a fraction of the output's range: float32 against ONNX Runtime (1e-5
is allowed), fp16 and int8 against today's LiteRT ({fp16:g} and {int8:g}). If some networks fail, the cell says how many
pass."""

_SERVING = """
## Laying out for TensorFlow Serving

TensorFlow Serving looks for a folder for each version of a model. Copy the SavedModel of a run there:

```
mkdir -p serving/digits
cp -r runs/mine/convert/native/saved_model serving/digits/1
tensorflow_model_server --rest_api_port=8501 --model_name=digits --model_base_path=$PWD/serving/digits
```

The signature is `serving_default`, its tag `serve`; the names of its inputs and outputs are in `signature.json` beside
the SavedModel, and `saved_model_cli show --all --dir serving/digits/1` prints them."""


def _oldest(releases: list[Release], entries: dict[Release, Any]) -> str:
    """The oldest release such that it and all newer ones pass."""
    oldest = "(none)"
    for release in reversed(releases):
        if _failures({release: entries[release]}):
            break
        oldest = ".".join(map(str, _number(release.version)))
    return oldest


def _row(release: Release, entry: dict[str, Any], columns: list[str]) -> str:
    start = f"| {release.package} {release.version} | {release.python} "
    if "missing" in entry:
        return start + "| – |" + " – |" * len(columns)
    cells = []
    for kind in columns:
        values = [network[kind] for network in entry["networks"].values()]
        passing = [value for value in values if _passes(kind, value)]
        cells.append(f"{max(passing):.1e}" if len(passing) == len(values) else f"{len(passing)} of {len(values)}")
    return f"{start}| {entry['numpy']} | {' | '.join(cells)} |"


def _passes(kind: str, value: float | str) -> bool:
    return not isinstance(value, str) and value <= ALLOWED.get(kind, 1e-5)


def _failures(entries: dict[Release, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Artifact, reason, networks and releases of each distinct failure."""
    networks: dict[tuple[str, str, Release], list[str]] = defaultdict(list)
    for release, entry in entries.items():
        if "missing" in entry:
            networks["all", entry["missing"], release] = ["all"]
            continue
        for name, by_kind in entry["networks"].items():
            for kind, value in by_kind.items():
                if not _passes(kind, value):
                    networks[COLUMNS[kind], _why(value), release].append(name)
    releases: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (kind, why, release), names in networks.items():
        releases[kind, why, ", ".join(names)].append(f"{release.package} {release.version}")
    return [(*line, ", ".join(names)) for line, names in releases.items()]


def _why(value: float | str) -> str:
    """The first sentence of an error message; or that the values are wrong."""
    if isinstance(value, str):
        return re.split(r"; |\. | in binary", value)[0].replace("|", "/")[:200]
    return "wrong values, without an error"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the artifacts and the environments (up to 3 GB)")
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="only these, as pip requirements (default: all)")
    parser.add_argument("--again", action="store_true", help="also repeat earlier results")
    args = parser.parse_args()
    if unknown := sorted(set(args.releases) - {release.name for release in RELEASES}):
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(release.name for release in RELEASES)}")
    artifacts = args.folder.resolve() / "artifacts"
    if not artifacts.exists():
        from benchmarks.compatibility_networks import networks, write

        draft = artifacts.with_name("artifacts.new")
        shutil.rmtree(draft, ignore_errors=True)
        for network in networks():
            write(network, draft / network.name)
            print(f"{network.name}: written", flush=True)
        draft.rename(artifacts)
    what = {folder.name: read_json(folder / "what.json")["what"] for folder in sorted(artifacts.iterdir())}
    results = read_json(RESULTS) if RESULTS.exists() else {}
    for release in RELEASES:
        done = "networks" in results.get(release.name, {})
        if (args.releases and release.name not in args.releases) or (done and not args.again):
            continue
        python = shutil.which(f"python{release.python}")
        if python is None:
            print(f"{release.name}: skipped, no python{release.python} on the PATH", flush=True)
            continue
        results[release.name] = try_release(release, python, artifacts)
        RESULTS.parent.mkdir(exist_ok=True)
        write_json(RESULTS, results)
        print(f"{release.name}: {_failures({release: results[release.name]}) or 'good'}", flush=True)
    write_atomic(PAGE, page(results, what).encode())


if __name__ == "__main__":
    main()
