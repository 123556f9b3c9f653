"""What is installed, what is missing, which devices there are; each problem with what mends it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from convnet_core.files import cache_folder
from convnet_core.runs import runs_root

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_PYTHONS = ((3, 11), (3, 13))
_LEAST_FREE = 2 * 10**9  # bytes


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `mend` is a command or a sentence, empty where all is well."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine() -> list[Check]:
    """All checks. Imports torch, to ask for its devices; 2 s."""
    return [_python(), *_packages(), *_devices(), *_folders(), _browser()]


def _python() -> Check:
    here = sys.version_info[:2]
    ok = _PYTHONS[0] <= here <= _PYTHONS[1]
    found = ".".join(map(str, sys.version_info[:3]))
    if ok and here >= (3, 12):
        found += " (the converter onnx-tf needs 3.11)"
    return Check("Python", ok, found, "" if ok else "make the environment anew with Python 3.11")


def _packages() -> list[Check]:
    checks = []
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if not text:
            continue
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate():
            continue
        mend = f"{sys.executable} -m pip install -r {REQUIREMENTS}"
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(wanted.name, False, "not installed", mend))
            continue
        ok = wanted.specifier.contains(version, prereleases=True)
        found = version if ok else f"{version}, but {wanted.specifier} was tested"
        checks.append(Check(wanted.name, ok, found, "" if ok else mend))
    return checks


def _devices() -> list[Check]:
    try:
        import torch
    except ImportError as error:
        return [
            Check(
                "devices",
                False,
                f"torch does not import: {error}",
                f"{sys.executable} -m pip install -r {REQUIREMENTS}",
            )
        ]
    checks = [Check("device cpu", True, f"{os.cpu_count()} cores, {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        checks += [
            Check(f"device cuda:{index}", True, torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
    elif torch.backends.mps.is_available():
        checks.append(Check("device mps", True, "Apple GPU"))
    else:
        checks.append(Check("GPU", True, "none; training runs on the CPU"))
    return checks


def _folders() -> list[Check]:
    checks = []
    for name, folder, variable in (
        ("runs", runs_root(), "CONVNET_RUNS_DIR"),
        ("cache", cache_folder(), "CONVNET_CACHE_DIR"),
    ):
        place = folder.absolute()
        there = next(parent for parent in (place, *place.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        if not os.access(there, os.W_OK):
            checks.append(
                Check(f"folder of {name}", False, f"{place} cannot be written", f"set {variable} to another folder")
            )
        elif free < _LEAST_FREE:
            checks.append(
                Check(
                    f"folder of {name}",
                    False,
                    f"{place} has {free / 1e9:.1f} GB left",
                    f"free some space, or set {variable}",
                )
            )
        else:
            checks.append(Check(f"folder of {name}", True, f"{place}, {free / 1e9:.0f} GB free"))
    return checks


def _browser() -> Check:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    return Check("Chromium", True, path or "none; only the browser tests need it (apt-get install chromium)")
