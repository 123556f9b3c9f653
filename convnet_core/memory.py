"""How glibc's allocator treats what is freed; elsewhere than on Linux with glibc nothing happens."""

from __future__ import annotations

import ctypes
import functools
import sys

# <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


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


def _mallopt(parameter: int, value: int) -> None:
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(parameter, value)
