"""Check which libraries and devices are available, and say how to fix each problem.

Uses only the standard library, so it works when libraries are missing.
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
from typing import Any, Self

from convnet_core.common import fast_paths
from convnet_core.common.files import cache_folder, runs_root
from convnet_core.common.formatting import join_parts, list_words
from convnet_core.common.installation import REQUIREMENTS, requirements
from convnet_core.common.processes import environment
from convnet_core.language import N_, VARIABLE, _, current, plural
from convnet_core.runtimes.specs import SPECS

_PYTHONS = ((3, 11), (3, 13))
_MIN_FREE_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Check:
    """The result of one check; `fix` is a command, empty if the check passed."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    @property
    def title(self) -> str:
        """The name in the current language."""
        kind, _space, device = self.name.partition(" ")
        return _("device {name}", name=device) if kind == "device" else _(self.name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with the keys `found` and `mend` for `detail` and `fix`."""
        return {"name": self.name, "ok": self.ok, "found": self.detail, "mend": self.fix}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse what `to_json` wrote. Raises KeyError and TypeError."""
        return cls(value["name"], value["ok"], value["found"], value["mend"])


def examine() -> list[Check]:
    """Run all checks. Imports torch to list its devices, which takes 2 s."""
    return [
        _check_python(),
        *_check_packages(),
        *_check_optional_runtimes(),
        *_check_devices(),
        _check_fast_paths(),
        *_check_folders(),
        _check_browser(),
    ]


class Examination:
    """Runs `examine` in a separate process, so the caller neither waits nor imports torch.

    The process starts on the first read of `checks` at least one second after construction: importing torch takes
    CPU time that the browser needs for its first page. Its results are in the language that is current at construction.
    """

    def __init__(self) -> None:
        self._language = current()
        self._earliest_start = time.monotonic() + 1.0
        self._process: subprocess.Popen[bytes] | None = None
        self._checks: list[Check] | None = None
        self._lock = threading.Lock()  # every session of the app reads this

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "convnet_core", "doctor", "--json"],
            env={**environment(), VARIABLE: self._language},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def checks(self) -> list[Check] | None:
        """The results; None until the process has finished."""
        with self._lock:
            if self._process is None:
                if time.monotonic() >= self._earliest_start:
                    self._process = self._start()
            elif self._checks is None and self._process.poll() is not None:
                output = self._process.communicate()[0]
                try:
                    self._checks = [Check.from_json(item) for item in json.loads(output)]
                except (ValueError, TypeError, KeyError):
                    self._checks = [Check("doctor", False, _("did not finish"), "python -m convnet_core doctor")]
        return self._checks

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None and self._checks is None:
                self._process.kill()
                self._process.communicate()


def _check_python() -> Check:
    current = sys.version_info[:2]
    ok = _PYTHONS[0] <= current <= _PYTHONS[1]
    detail = ".".join(map(str, sys.version_info[:3]))
    if ok and current >= (3, 12):
        detail = _("{version} (the converter onnx-tf needs 3.11)", version=detail)
    return Check(
        "Python", ok, detail, "" if ok else "python3.11 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    )


def _check_packages() -> list[Check]:
    checks = []
    for name, pinned in _pins():
        fix = _install_command(f"{name}=={pinned}")
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(name, False, _("not installed"), fix))
            continue
        ok = version.split("+")[0] == pinned
        detail = version if ok else _("{version}, but {pinned} was tested", version=version, pinned=pinned)
        checks.append(Check(name, ok, detail, "" if ok else fix))
    return checks


def _install_command(requirement: str) -> str:
    """The command that installs a library; in a checkout, the command that installs all of them."""
    packages = f'"{requirement}"' if REQUIREMENTS is None else f"-r {REQUIREMENTS}"
    return f"{sys.executable} -m pip install {packages}"


def _pins() -> list[tuple[str, str]]:
    """(name, version) of every requirement `name==version` that applies to this Python and system."""
    applies = {
        "": True,
        'python_version < "3.12"': sys.version_info < (3, 12),
        'sys_platform != "win32"': sys.platform != "win32",
    }
    pins = []
    for line in requirements():
        pin, marker = line.partition(";")[::2]
        name, version = pin.strip().partition("==")[::2]
        if applies[marker.strip()]:
            pins.append((name, version))
    return pins


def _check_optional_runtimes() -> list[Check]:
    return [
        Check(
            spec.title,
            True,
            spec.version or _("not installed; optional: pip install {package}", package=spec.distribution),
        )
        for spec in SPECS
        if spec.extra
    ]


def _check_devices() -> list[Check]:
    try:
        import torch
    except ImportError as error:
        return [
            Check(N_("devices"), False, _("cannot import torch: {reason}", reason=error), _install_command("torch"))
        ]
    cores = plural("{count} core", "{count} cores", os.cpu_count() or 1)
    threads = plural("{count} thread", "{count} threads", torch.get_num_threads())
    checks = [Check("device cpu", True, join_parts([cores, threads]))]
    if torch.cuda.is_available():
        checks += [
            Check(f"device cuda:{index}", True, torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
    elif torch.backends.mps.is_available():
        checks.append(Check("device mps", True, _("Apple GPU")))
    else:
        checks.append(Check("GPU", True, _("none; training runs on the CPU")))
    return checks


def _check_fast_paths() -> Check:
    """The speedups in use, and why others are not; training works without them, but takes longer."""
    disabled = fast_paths.disabled_names()
    if unknown := sorted(disabled - set(fast_paths.FAST_PATHS)):
        names, unknown_names = ",".join(fast_paths.FAST_PATHS), ", ".join(unknown)
        fix = _("export {variable}={names} (or some of them)", variable=fast_paths.SWITCH, names=names)
        detail = _("{variable} names {names}, which does not exist", variable=fast_paths.SWITCH, names=unknown_names)
        return Check(N_("speedups"), False, detail, fix)
    parts = []
    for name in fast_paths.FAST_PATHS:
        if name in disabled:
            parts.append(_("{name} off ({variable})", name=name, variable=fast_paths.SWITCH))
        elif missing := fast_paths.missing_parts(name):
            parts.append(_("{name} off (not available here: {missing})", name=name, missing=list_words(missing)))
        else:
            parts.append(name)
    return Check(N_("speedups"), True, list_words(parts))


def _check_folders() -> list[Check]:
    checks = []
    for name, folder, variable in (
        (N_("runs folder"), runs_root(), "CONVNET_RUNS_DIR"),
        (N_("cache folder"), cache_folder(), "CONVNET_CACHE_DIR"),
    ):
        path = folder.absolute()
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        if not os.access(existing, os.W_OK):
            checks.append(
                Check(name, False, _("{path} is not writable", path=path), f"export {variable}=/another/folder")
            )
        elif free < _MIN_FREE_BYTES:
            fix = _("export {variable}=/another/folder, or free some space", variable=variable)
            left = _("{path} has {gigabytes:.1f} GB left", path=path, gigabytes=free / 1e9)
            checks.append(Check(name, False, left, fix))
        else:
            checks.append(Check(name, True, _("{path}, {gigabytes:.0f} GB free", path=path, gigabytes=free / 1e9)))
    return checks


def _check_browser() -> Check:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    return Check("Chromium", True, path or _("none; only the browser tests need it (apt-get install chromium)"))
