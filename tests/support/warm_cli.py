"""The command line in forks of one process that has imported the libraries: each command is some seconds quicker.

A fork is as good as a process of its own, but for what happens while libraries are imported and when the interpreter
ends; `convnet` in the tests' conftest takes a real process where it is given options.
Run by `run`: python -m tests.support.warm_cli
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

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 300
_LIBRARIES = (
    *("torch.optim", "torch.export", "torch.fx.experimental.symbolic_shapes", "functorch.compile", "onnxscript"),
    *(
        "onnxruntime",
        "ai_edge_litert.interpreter",
        "convnet_core.cli.commands.pipeline",
        "convnet_core.stages.train",
        "convnet_core.stages.export",
        "convnet_core.stages.compare",
        "convnet_core.stages.convert",
        "convnet_core.stages.dissect",
    ),
)


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one command as `subprocess.run` would, with its output."""
    server = _server()
    with tempfile.NamedTemporaryFile("r") as output, tempfile.NamedTemporaryFile("r") as errors:
        request = {"arguments": arguments, "env": dict(os.environ), "output": output.name, "errors": errors.name}
        print(json.dumps(request), file=server.stdin, flush=True)
        status = server.stdout.readline()
        assert status, f"the process of the forks has ended: {server.wait()}"
        return subprocess.CompletedProcess(arguments, int(status), output.read(), errors.read())


@cache
def _server():
    """The process that forks; it ends when its input does, with this one."""
    command = [sys.executable, "-m", "tests.support.warm_cli"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.stdin.close)
    return server


def _serve() -> None:
    """Fork for each request, and answer its exit status."""
    from convnet_core.common.tensorflow_import import import_tensorflow

    for name in _LIBRARIES:
        importlib.import_module(name)
    import_tensorflow()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _be(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _be(request: dict) -> None:
    """Be one command, to the end of the process."""
    from convnet_core.cli.main import main

    signal.alarm(_SECONDS)  # its end, in native code too
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    for name, number in ((os.devnull, 0), (request["output"], 1), (request["errors"], 2)):
        os.dup2(os.open(name, os.O_RDWR), number)
    status = 1
    try:
        status = main(request["arguments"])
    except SystemExit as end:  # of argparse
        status = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
