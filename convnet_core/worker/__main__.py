"""The worker process: `python -m convnet_core.worker LIFELINE MEMORY`.

LIFELINE is the file descriptor of a pipe that closes when the parent ends; MEMORY is the process's memory limit in
bytes. Requests arrive on standard input. The requests of one lane run in order in one thread, which keeps the number of
threads small (TensorFlow 2.21 keeps state per thread); lanes run in parallel.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import functools
import importlib
import os
import resource
import select
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, cast

from convnet_core import language
from convnet_core.common.memory import collect_garbage_less_often
from convnet_core.errors import ConvNetError, one_line
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker import client
from convnet_core.worker.messages import Content, Task, receive, send


def main() -> None:
    lifeline, memory = map(int, sys.argv[1:])
    exit_with_parent(lifeline)
    _limit(memory)
    faulthandler.enable()
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints of libraries must not mix with the results
    client.is_worker = True
    lanes: dict[str, ThreadPoolExecutor] = {}
    lock = threading.Lock()
    with collect_garbage_less_often():
        while (request := receive(sys.stdin.buffer)) is not None:
            content, arrays = request
            if content["lane"] not in lanes:
                lanes[content["lane"]] = ThreadPoolExecutor(1)
            lanes[content["lane"]].submit(_work, content, arrays, results, lock)
    os._exit(0)  # without cleanup: some libraries are slow or crash in it


def exit_with_parent(lifeline: int) -> None:
    """Have the kernel end this process with SIGIO when the other end of a pipe closes, even if its holder crashes.

    A waiting thread would need Python's global lock, which TFLite's converter holds for seconds.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | fcntl.fcntl(lifeline, fcntl.F_GETFL))
    if select.select([lifeline], [], [], 0)[0]:  # the pipe is closed already
        os._exit(1)


def _limit(memory: int) -> None:
    """Limit this process's memory, disable core dumps, and let the system kill it first if memory runs out."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, hard_limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # not on Linux
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def _work(content: Content, arrays: Feeds, results: IO[bytes], lock: threading.Lock) -> None:
    number = content["number"]

    def reply(kind: str, content: Content, arrays: Feeds) -> None:
        with lock:
            send(results, {"number": number, "kind": kind, "content": content}, arrays)

    try:
        module, _, name = content["task"].partition(":")
        task = cast(Task, getattr(importlib.import_module(module), name))
        with language.use(content["language"]):
            reply("result", *task(content["content"], arrays, functools.partial(reply, "note")))
    except MemoryError:
        reply("memory", {}, {})
    except ConvNetError as error:
        reply("error", {"type": type(error).__name__, "text": str(error), "hint": error.hint}, {})
    except OSError as error:  # such as a full disk
        name = None if error.filename is None else str(error.filename)
        reply("system", {"errno": error.errno, "text": error.strerror or str(error), "filename": name}, {})
    except BaseException as error:
        traceback.print_exc()
        reply("bug", {"text": f"{type(error).__name__}: {one_line(error)}"}, {})


if __name__ == "__main__":
    main()
