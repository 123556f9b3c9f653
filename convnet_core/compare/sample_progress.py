"""Count the samples that several threads have finished."""

from __future__ import annotations

import threading
from collections.abc import Callable

from convnet_core.errors import Stopped


class SampleProgress:
    """Adds up finished samples of all runtimes; `progress` receives (name, done, total) from one thread at a time."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None] | None) -> None:
        self._total, self._progress, self._done, self._lock = total, progress, 0, threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Later progress calls raise Stopped."""
        self._stopped = True

    def part(self, name: str) -> Callable[[int], None]:
        """A function for one runtime, input set and batch size; call it with the number of finished samples."""
        last = 0

        def report_done(samples: int) -> None:
            nonlocal last
            if self._stopped:
                raise Stopped
            with self._lock:
                self._done += samples - last
                last = samples
                if self._progress:
                    self._progress(name, self._done, self._total)

        return report_done
