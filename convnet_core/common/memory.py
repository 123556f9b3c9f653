"""When Python looks for garbage, what glibc's allocator does with what is freed (others are left alone), and how much
memory there is.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_NEW_OBJECTS = 10_000  # importing PyTorch and TensorFlow takes 4.3 s of a core at 700, 3.4 s here, no less beyond
# <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


@contextlib.contextmanager
def collecting_less_often() -> Iterator[None]:
    """Meanwhile, look for garbage after 10,000 new containers instead of CPython 3.11's 700.

    Libraries are imported in four fifths of the time, and take as much memory.
    """
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def keep_freed_memory() -> None:
    """Keep large blocks that are freed, for the next batch: a training is 20 % faster on two cores.

    Otherwise each activation of some megabytes goes back to the system and comes again page by page.
    """
    _mallopt(_TRIM_THRESHOLD, 1 << 30)
    _mallopt(_MMAP_THRESHOLD, 1 << 30)


@functools.cache
def share_few_heaps() -> None:
    """Let all threads share two heaps, and give large blocks back: a server of many short threads stays small.

    Each rerun of a page is a thread of its own (Streamlit 1.67). By default glibc has eight heaps for each core, each
    as large as its fullest moment and full of holes; and once a large block has been freed, the next ones of its size
    lie in a heap, too. To be called before more than eight threads have started.
    """
    _mallopt(_ARENA_MAX, 2)
    _mallopt(_TRIM_THRESHOLD, 1 << 20)
    _mallopt(_MMAP_THRESHOLD, 1 << 18)


def machine_memory() -> int:
    """The bytes of memory that this machine has, or that its control group leaves to it (Linux, version 2)."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.is_file() else "max"
    return whole if text == "max" else min(whole, int(text))


def _mallopt(parameter: int, value: int) -> None:
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(parameter, value)
