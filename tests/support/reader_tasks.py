"""Replacements for tasks of the runtime pool's worker that wait or answer wrongly."""

import time
from pathlib import Path
from unittest.mock import patch

from convnet_core import language
from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.base import Runtime

_OPEN, _READ = pool_worker.open_runtime, pool_worker.read


def open_pytorch_late(content, arrays, tell):
    """Open PyTorch only once the run's folder contains a file named `go on`."""
    while content["name"] == "pytorch" and not (Path(content["run"]) / "go on").exists():
        time.sleep(0.02)
    return _OPEN(content, arrays, tell)


def read_with_negated_logits(content, arrays, tell):
    """Negate ONNX Runtime's logits."""

    def tell_negated(answer, logits):
        negate = answer["name"] == "onnxruntime"
        tell(answer, {name: -array for name, array in logits.items()} if negate else logits)

    return _READ(content, arrays, tell_negated)


def break_runtime(name, fail):
    """A context in which one runtime calls `fail` instead of running."""
    infer = Runtime.infer

    def fail_or_infer(self, feeds, fetch=None):
        return fail() if self.name == name else infer(self, feeds, fetch)

    return patch.object(Runtime, "infer", fail_or_infer)


def learn_nothing(content, arrays, notify):
    """Runs in the worker: what the pages' tests do without costs half a minute of a core."""
    return {}, {}


def learn_late(content, arrays, notify):
    """Runs in the worker: fail once the run's folder contains a file named `go on`."""
    export = pool_worker._open[content["reader"], "pytorch"]._path.parent
    while not (export.parent / "go on").exists():
        time.sleep(0.02)
    return {"list": [][1]}, {}


def tell_language(content, arrays, notify):
    """Return the language in which a task writes its texts."""
    return {"language": language.current()}, {}
