"""The client of a worker: starts the process, sends tasks, waits for results, and reports how the process died."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading

from convnet_core import errors, language
from convnet_core.common.memory import machine_memory
from convnet_core.common.processes import environment
from convnet_core.errors import ConvNetError, DiedError
from convnet_core.language import _
from convnet_core.tensors.arrays import Feeds
from convnet_core.worker.messages import Content, Message, Notify, Task, receive, send

is_worker = False
"""Whether this process is itself a worker. A worker runs tasks in its own process, since it may crash anyway."""

_NO_ARRAYS: Feeds = {}


def _ignore(content: Content, arrays: Feeds) -> None:
    """Ignore a note."""


class Worker:
    """A process that starts at the first task, stays for later tasks, and is replaced if it dies.

    `memory` is its limit in bytes, by default the machine's memory. It ends when this process ends, even in a crash.
    All methods are thread-safe.
    """

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def run(
        self,
        task: Task,
        content: Content,
        arrays: Feeds = _NO_ARRAYS,
        *,
        notify: Notify = _ignore,
        seconds: float = float("inf"),
        lane: str = "",
    ) -> Message:
        """Run a task and return its result. Calls `notify`, in this thread, with each note that the task sends.

        `seconds` is the longest allowed time between messages. The tasks of one `lane` run one after another. Raises
        DiedError if the process died or took too long, the ConvNetError or OSError that the task raised, and
        RuntimeError for any other error in the task. If `notify` or a signal raises, the process is killed.
        """
        if is_worker:
            return task(content, arrays, notify)
        return self._live_child().run(task, content, arrays, notify, seconds, lane)

    def submit(self, task: Task, content: Content, *, lane: str = "") -> None:
        """Start a task without waiting for its result. Later tasks of its lane run after it."""
        if not is_worker:
            self._live_child().send_task(task, content, _NO_ARRAYS, lane, expect_reply=False)

    def restart(self) -> None:
        """Kill the process; the next task starts a new one."""
        with self._lock:
            if self._child:
                self._child.kill(_("it was stopped"))
            self._child = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None if there is none."""
        with self._lock:
            return None if self._child is None or self._child.dead else self._child.pid

    def _live_child(self) -> _Child:
        with self._lock:
            if self._child is None or self._child.dead:
                self._child = _Child(self._memory or machine_memory())
            return self._child


_shared = Worker()


def shared() -> Worker:
    """This process's worker for tasks that leave no state behind, so they can share its imported libraries."""
    return _shared


class _Child:
    """One process, from start to end."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, queue.SimpleQueue[tuple[str, Content, Feeds]]] = {}
        self._reason, self._status = "", 0
        self.dead = self._over = self._alone = False
        child_end, self._lifeline = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "convnet_core.worker", str(child_end), str(memory)],
            env=environment(TF_CPP_MIN_LOG_LEVEL="2"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(child_end,),
            start_new_session=True,
        )
        os.close(child_end)
        self.pid = self._process.pid
        threading.Thread(target=self._listen, name=f"worker {self.pid} listener", daemon=True).start()

    def run(self, task: Task, content: Content, arrays: Feeds, notify: Notify, seconds: float, lane: str) -> Message:
        number = self.send_task(task, content, arrays, lane)
        answered = False
        try:
            while not answered:
                kind, content, arrays = self._next(number, seconds)
                answered = kind != "note"
                if not answered:
                    notify(content, arrays)
        finally:
            with self._lock:
                del self._waiting[number]
            if not answered:  # `notify` or a signal has raised
                self.kill(_("it was stopped"))
        return self._result(kind, content, arrays)

    def send_task(self, task: Task, content: Content, arrays: Feeds, lane: str, *, expect_reply: bool = True) -> int:
        """Send a task and return its number, for `_next` if a reply is expected."""
        with self._lock:
            number = next(self._numbers)
            if expect_reply:
                self._waiting[number] = queue.SimpleQueue()
                if self._over:
                    self._waiting[number].put(("died", {}, {}))
        name = f"{task.__module__}:{task.__qualname__}"
        request = {"number": number, "task": name, "lane": lane, "language": language.current(), "content": content}
        assert self._process.stdin
        with self._sending, contextlib.suppress(BrokenPipeError):  # it has died, which `_listen` reports
            if not self._process.stdin.closed:
                send(self._process.stdin, request, arrays)
        return number

    def kill(self, reason: str) -> None:
        """Kill the process, and report `reason` as the cause."""
        self._reason = self._reason or reason
        self.dead = True
        self._process.kill()

    def _listen(self) -> None:
        """Pass the process's messages to the waiting threads until it ends."""
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
            self._status = status
            for waiting in self._waiting.values():
                waiting.put(("died", {}, {}))

    def _next(self, number: int, seconds: float) -> tuple[str, Content, Feeds]:
        try:
            return self._waiting[number].get(timeout=None if seconds == float("inf") else seconds)
        except queue.Empty:
            self.kill(_("gave up after {seconds:g} s", seconds=seconds))
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
                self.kill(_("out of memory"))
                raise DiedError(
                    _(
                        "its process needs more memory than its limit of {gigabytes:,.1f} GB",
                        gigabytes=self._memory / 1e9,
                    )
                )
            case "died":
                raise DiedError(self._reason or describe_exit(self._status), alone=self._alone)
        raise RuntimeError(content["text"])


def describe_exit(status: int) -> str:
    """How a process ended, from its exit status in `subprocess`: negative for a signal."""
    if status >= 0:
        return _("its process exited with status {status}; see the log", status=status)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return _("its process was killed by {signal} (out of memory?)", signal=name)
    return _("its process was killed by {signal}", signal=name)
