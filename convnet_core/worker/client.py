"""The side that asks: starts the process, waits for its results, and says how it died."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading

from convnet_core import errors
from convnet_core.common.memory import machine_memory
from convnet_core.common.processes import environment
from convnet_core.errors import ConvNetError, DiedError
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.messages import Content, Message, Task, Tell, receive, send

inside = False
"""Whether this process is itself a worker. It may die already, so that it does everything itself."""

_NOTHING: Feeds = {}


def _unheard(content: Content, arrays: Feeds) -> None:
    """Nobody listens."""


class Worker:
    """A process that is started at the first task, kept for the next ones, and replaced when it has died.

    `memory` is what it may take, in bytes; by default all that the machine has. It ends with this process, however
    that ends. All methods may be called from any thread.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def run(
        self,
        task: Task,
        content: Content,
        arrays: Feeds = _NOTHING,
        *,
        tell: Tell = _unheard,
        seconds: float = float("inf"),
        lane: str = "",
    ) -> Message:
        """What a task returns. `tell` hears, in this thread, what the task tells before.

        `seconds` is how long the task may go without a word; the tasks of one `lane` are done one after another.
        Raises DiedError where the process died or was given up, the ConvNetError or OSError that the task raised, and
        RuntimeError for any other error in it. When `tell` or a signal raises, the process is ended.
        """
        if inside:
            return task(content, arrays, tell)
        return self._living().run(task, content, arrays, tell, seconds, lane)

    def begin(self, task: Task, content: Content, *, lane: str = "") -> None:
        """Have a task done that nobody waits for; the next ones of its lane are done after it."""
        if not inside:
            self._living().ask(task, content, _NOTHING, lane, heard=False)

    def renew(self) -> None:
        """End the process: the next task begins in a fresh one."""
        with self._lock:
            if self._child:
                self._child.end("it was ended")
            self._child = None

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        with self._lock:
            return None if self._child is None or self._child.dead else self._child.pid

    def _living(self) -> _Child:
        with self._lock:
            if self._child is None or self._child.dead:
                self._child = _Child(self._memory or machine_memory())
            return self._child


_shared = Worker()


def shared() -> Worker:
    """The worker of this process for work that leaves nothing behind: its libraries are imported once."""
    return _shared


class _Child:
    """One process, to its death."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, queue.SimpleQueue[tuple[str, Content, Feeds]]] = {}
        self._reason = ""
        self.dead = self._over = self._alone = False
        theirs, self._lifeline = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "convnet_core.worker", str(theirs), str(memory)],
            env=environment(TF_CPP_MIN_LOG_LEVEL="2"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(theirs,),
            start_new_session=True,
        )
        os.close(theirs)
        self.pid = self._process.pid
        threading.Thread(target=self._listen, name=f"listens to worker {self.pid}", daemon=True).start()

    def run(self, task: Task, content: Content, arrays: Feeds, tell: Tell, seconds: float, lane: str) -> Message:
        number = self.ask(task, content, arrays, lane)
        answered = False
        try:
            while not answered:
                kind, content, arrays = self._next(number, seconds)
                answered = kind != "note"
                if not answered:
                    tell(content, arrays)
        finally:
            with self._lock:
                del self._waiting[number]
            if not answered:  # `tell` or a signal has raised
                self.end("it was ended")
        return self._result(kind, content, arrays)

    def ask(self, task: Task, content: Content, arrays: Feeds, lane: str, *, heard: bool = True) -> int:
        """Send a task, of which somebody waits to hear or not; gives its number."""
        with self._lock:
            number = next(self._numbers)
            if heard:
                self._waiting[number] = queue.SimpleQueue()
                if self._over:
                    self._waiting[number].put(("died", {}, {}))
        name = f"{task.__module__}:{task.__qualname__}"
        request = {"number": number, "task": name, "lane": lane, "content": content}
        assert self._process.stdin
        with self._sending, contextlib.suppress(BrokenPipeError):  # it has died: `_listen` says so
            if not self._process.stdin.closed:
                send(self._process.stdin, request, arrays)
        return number

    def end(self, reason: str) -> None:
        """Kill the process; `reason` is given as that of its death."""
        self._reason = self._reason or reason
        self.dead = True
        self._process.kill()

    def _listen(self) -> None:
        """Hand what the process says to those who wait for it, until it has died."""
        assert self._process.stdin
        assert self._process.stdout
        while (message := receive(self._process.stdout)) is not None:
            (envelope, arrays) = message
            with self._lock:
                waiting = self._waiting.get(envelope["number"])
            if waiting:
                waiting.put((envelope["kind"], envelope["content"], arrays))
        status = self._process.wait()
        with self._sending, contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        os.close(self._lifeline)
        with self._lock:
            self.dead = self._over = True
            self._alone = len(self._waiting) == 1
            self._reason = self._reason or end_of(status)
            for waiting in self._waiting.values():
                waiting.put(("died", {}, {}))

    def _next(self, number: int, seconds: float) -> tuple[str, Content, Feeds]:
        try:
            return self._waiting[number].get(timeout=None if seconds == float("inf") else seconds)
        except queue.Empty:
            self.end(f"gave up after {seconds:g} s")
            return self._waiting[number].get()

    def _result(self, kind: str, content: Content, arrays: Feeds) -> Message:
        match kind:
            case "result":
                return content, arrays
            case "error":
                raise getattr(errors, content["type"], ConvNetError)(content["text"], content["hint"])
            case "system":
                raise OSError(content["errno"], content["text"], content["filename"])
            case "memory":
                self.end("out of memory")
                raise DiedError(f"its process needs more than the {self._memory / 1e9:,.1f} GB that it may take")
            case "died":
                raise DiedError(self._reason, alone=self._alone)
        raise RuntimeError(content["text"])


def end_of(status: int) -> str:
    """How a process ended, by its exit status as `subprocess` has it."""
    if status >= 0:
        return f"its process ended with status {status}; the log says why"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"its process was ended by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")
