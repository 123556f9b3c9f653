"""Measures the speed of this machine for the app, in a process of its own: the app neither waits nor imports torch."""

from __future__ import annotations

import subprocess
import sys
import threading

from convnet_core.common.processes import environment
from convnet_core.config.flags import arguments
from convnet_core.config.stages import PRESETS, TrainConfig
from convnet_core.jobs.watcher import SPIN_COUNT
from convnet_core.language import N_, _
from convnet_core.training.speed import known_factor, speed_key

_UNKNOWN = N_("the speed of this machine could not be measured")


class Calibrator:
    """Runs `train --estimate` for what is not known yet, one process at a time. Thread-safe, for all sessions."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._key = ""
        self._failures: dict[str, str] = {}
        self._lock = threading.Lock()

    def is_measuring(self, config: TrainConfig) -> bool:
        """Whether the speed for this config is being measured; starts that if it is not known yet."""
        with self._lock:
            self._end_finished_process()
            if known_factor(config) is not None or speed_key(config) in self._failures:
                return False
            if self._process is None:
                self._key, self._process = speed_key(config), self._start(config)
            return True

    def failure(self, config: TrainConfig) -> str:
        """Why the speed for this config could not be measured; empty if it is known, or has not been tried."""
        reason = self._failures.get(speed_key(config), "")
        return _(reason) if reason and known_factor(config) is None else ""

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.communicate()

    def _end_finished_process(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            errors = self._process.communicate()[1]
            if self._process.returncode:
                self._failures[self._key] = errors.strip().partition("\n")[0].removeprefix("error: ") or _UNKNOWN
            self._process = None

    def _start(self, config: TrainConfig) -> subprocess.Popen[str]:
        """The process. Its threads wait for each other as those of a job do, since that decides its speed."""
        flags = ["--preset", "reference", *arguments(config, PRESETS["reference"])]
        return subprocess.Popen(
            [sys.executable, "-m", "convnet_core", "train", "--estimate", *flags],
            env=environment(GOMP_SPINCOUNT=SPIN_COUNT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
