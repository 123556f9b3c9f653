"""How many heaps glibc creates for short-lived threads."""

import sys

import pytest

from tests.conftest import python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="specific to glibc")

_HEAPS = """
import ctypes, os, sys, tempfile, threading
from convnet_core.common.memory import share_few_heaps

if sys.argv[1] == "few":
    share_few_heaps()
library = ctypes.CDLL(None)
if not hasattr(library, "malloc_info"):
    print("no glibc")
    raise SystemExit
library.malloc.restype = library.fdopen.restype = ctypes.c_void_p
library.free.argtypes = library.fflush.argtypes = [ctypes.c_void_p]
library.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
together = threading.Barrier(30)

def work():
    together.wait()
    block = library.malloc(5000)
    together.wait()
    library.free(block)

threads = [threading.Thread(target=work) for _ in range(30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.TemporaryFile() as file:
    stream = library.fdopen(os.dup(file.fileno()), b"w")
    library.malloc_info(0, stream)
    library.fflush(stream)
    file.seek(0)
    print(file.read().count(b"<heap nr="))
"""


def test_threads_share_few_heaps():
    few, many = (python(_HEAPS, mode).stdout.strip() for mode in ("few", "many"))
    if few == "no glibc":
        pytest.skip("another C library")
    assert int(few) <= 2 < int(many)
