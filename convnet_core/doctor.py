"""What is installed, what is missing, which devices there are; each problem with what mends it.

Standard library alone, so that it works where libraries are missing.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from convnet_core.common.files import cache_folder, runs_root
from convnet_core.common.formatting import format_count
from convnet_core.common.installation import REQUIREMENTS, requirements
from convnet_core.common.processes import environment
from convnet_core.runtimes.specs import SPECS

_PYTHONS = ((3, 11), (3, 13))
_LEAST_FREE = 2 * 10**9  # bytes


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `mend` is a command, empty where all is well."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine() -> list[Check]:
    """All checks. Imports torch, to ask for its devices; 2 s."""
    return [_python(), *_packages(), *_optional_runtimes(), *_devices(), *_folders(), _browser()]


class Examination:
    """`examine` in a process of its own: whoever asks need neither wait nor import torch.

    It starts at the first question that comes a second or more after it was made: importing torch takes a processor
    that a browser needs for its first page.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic() + 1.0
        self._process: subprocess.Popen[bytes] | None = None
        self._checks: list[Check] | None = None
        self._one = threading.Lock()  # each session of the app asks

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "convnet_core", "doctor", "--json"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def checks(self) -> list[Check] | None:
        """What was found; None while it is still looked for."""
        with self._one:
            if self._process is None:
                if time.monotonic() >= self._begin:
                    self._process = self._start()
            elif self._checks is None and self._process.poll() is not None:
                said = self._process.communicate()[0]
                try:
                    self._checks = [Check(**item) for item in json.loads(said)]
                except (ValueError, TypeError):
                    self._checks = [Check("doctor", False, "did not finish", "python -m convnet_core doctor")]
        return self._checks


def _python() -> Check:
    here = sys.version_info[:2]
    ok = _PYTHONS[0] <= here <= _PYTHONS[1]
    found = ".".join(map(str, sys.version_info[:3]))
    if ok and here >= (3, 12):
        found += " (the converter onnx-tf needs 3.11)"
    return Check(
        "Python", ok, found, "" if ok else "python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    )


def _packages() -> list[Check]:
    checks = []
    for name, wanted in _pins():
        mend = _install(f"{name}=={wanted}")
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(name, False, "not installed", mend))
            continue
        ok = version.split("+")[0] == wanted
        checks.append(Check(name, ok, version if ok else f"{version}, but {wanted} was tested", "" if ok else mend))
    return checks


def _install(requirement: str) -> str:
    """The command that installs a library, in a checkout all of them."""
    wanted = f'"{requirement}"' if REQUIREMENTS is None else f"-r {REQUIREMENTS}"
    return f"{sys.executable} -m pip install {wanted}"


def _pins() -> list[tuple[str, str]]:
    """(name, version) of every requirement `name==version` that is meant for this Python and system."""
    meant = {
        "": True,
        'python_version < "3.12"': sys.version_info < (3, 12),
        'sys_platform != "win32"': sys.platform != "win32",
    }
    found = []
    for line in requirements():
        pin, _, marker = line.partition(";")
        name, _, version = pin.strip().partition("==")
        if meant[marker.strip()]:
            found.append((name, version))
    return found


def _optional_runtimes() -> list[Check]:
    return [
        Check(spec.title, True, spec.version or f"not installed; optional: pip install {spec.distribution}")
        for spec in SPECS
        if spec.extra
    ]


def _devices() -> list[Check]:
    try:
        import torch
    except ImportError as error:
        return [Check("devices", False, f"torch does not import: {error}", _install("torch"))]
    cores, threads = format_count(os.cpu_count() or 1, "core"), format_count(torch.get_num_threads(), "thread")
    checks = [Check("device cpu", True, f"{cores}, {threads}")]
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
                Check(f"folder of {name}", False, f"{place} cannot be written", f"export {variable}=/another/folder")
            )
        elif free < _LEAST_FREE:
            checks.append(
                Check(
                    f"folder of {name}",
                    False,
                    f"{place} has {free / 1e9:.1f} GB left",
                    f"export {variable}=/another/folder, or free some space",
                )
            )
        else:
            checks.append(Check(f"folder of {name}", True, f"{place}, {free / 1e9:.0f} GB free"))
    return checks


def _browser() -> Check:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    return Check("Chromium", True, path or "none; only the browser tests need it (apt-get install chromium)")
