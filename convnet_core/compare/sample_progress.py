"""How many samples several threads have done together."""

from __future__ import annotations

import threading
from collections.abc import Callable

from convnet_core.errors import Stopped


class SampleProgress:
    """Adds up the samples that runtimes have done; `progress` hears (name, done, total), from one thread at a time."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None] | None) -> None:
        self._total, self._progress, self._done, self._lock = total, progress, 0, threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Whoever tells something from now on is stopped."""
        self._stopped = True

    def part(self, name: str) -> Callable[[int], None]:
        """For one runtime, input set and batch size: hears how many of its samples are done."""
        last = 0

        def tell(samples: int) -> None:
            nonlocal last
            if self._stopped:
                raise Stopped
            with self._lock:
                self._done += samples - last
                last = samples
                if self._progress:
                    self._progress(name, self._done, self._total)

        return tell
