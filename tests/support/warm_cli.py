"""Run commands in forks of one process that has already imported the libraries, which saves seconds per command.

A fork behaves like a new process except while importing libraries and at interpreter exit; `convnet` in
tests/conftest.py starts a real process if it gets options. A command's first worker is also a fork, because a new
process would import TensorFlow again; a second worker is a real process.
Started by `run`: python -m tests.support.warm_cli
"""

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path

from convnet_core.cli.main import COMMANDS
from convnet_core.common.memory import machine_memory
from convnet_core.worker import __main__ as worker

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 300
_LIBRARIES = (
    *("torch.optim", "torch.export", "torch.fx.experimental.symbolic_shapes", "functorch.compile", "onnxscript"),
    *(
        "onnxruntime",
        "ai_edge_litert.interpreter",
        *(f"convnet_core.cli.commands.{command}" for command in COMMANDS),
        "convnet_core.stages.train",
        "convnet_core.stages.export",
        "convnet_core.stages.compare",
        "convnet_core.stages.convert",
        "convnet_core.stages.dissect",
    ),
)


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one command like `subprocess.run` and capture its output."""
    server = _server()
    with tempfile.NamedTemporaryFile("r") as output, tempfile.NamedTemporaryFile("r") as errors:
        request = {"arguments": arguments, "env": dict(os.environ), "output": output.name, "errors": errors.name}
        print(json.dumps(request), file=server.stdin, flush=True)
        status = server.stdout.readline()
        assert status, f"the forking process has ended with status {server.wait()}"
        return subprocess.CompletedProcess(arguments, int(status), output.read(), errors.read())


@cache
def _server():
    """The forking process; it ends when its input is closed, at the latest when this process ends."""
    command = [sys.executable, "-m", "tests.support.warm_cli"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.stdin.close)
    return server


def _serve() -> None:
    """Fork for each request and print the exit status."""
    from convnet_core.common.tensorflow_import import import_tensorflow

    for name in _LIBRARIES:
        importlib.import_module(name)
    import_tensorflow()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run_command(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run_command(request: dict) -> None:
    """Run one command in this forked process, then exit."""
    from convnet_core.cli.main import main

    signal.alarm(_SECONDS)  # kills the process at the limit, even in native code
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    for name, number in ((os.devnull, 0), (request["output"], 1), (request["errors"], 2)):
        os.dup2(os.open(name, os.O_RDWR), number)
    _use_forked_worker()
    status = 1
    try:
        status = main(request["arguments"])
    except SystemExit as end:  # raised by argparse
        status = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class _Worker:
    """A stand-in for the worker's `subprocess.Popen`. It forks at creation, while there is only one thread."""

    def __init__(self) -> None:
        read_requests, write_requests = os.pipe()
        read_results, write_results = os.pipe()
        lifeline, self._lifeline = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            os.dup2(read_requests, 0)
            os.dup2(write_results, 1)
            for number in (read_requests, write_requests, read_results, write_results, self._lifeline):
                os.close(number)
            sys.argv = ["worker", str(lifeline), str(machine_memory())]
            worker.main()
        for number in (read_requests, write_results, lifeline):
            os.close(number)
        self.stdin, self.stdout = os.fdopen(write_requests, "wb"), os.fdopen(read_results, "rb")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _use_forked_worker() -> None:
    """Make the command's first worker a fork of this process."""
    forked, start = [_Worker()], subprocess.Popen

    def popen(command, *args, **options):
        is_worker = "convnet_core.worker" in command
        return forked.pop() if is_worker and forked else start(command, *args, **options)

    subprocess.Popen = popen


if __name__ == "__main__":
    _serve()
