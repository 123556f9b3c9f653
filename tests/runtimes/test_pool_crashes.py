"""A runtime that ends its process, or hangs: it has failed, and the others are opened again."""

import os
import time

import numpy as np
import pytest

from convnet_core.runtimes import pool as reader_module
from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.pool import RuntimePool
from tests.conftest import RUNTIMES
from tests.support import crashing

READ = pool_worker.read
IMAGES = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)


def test_a_runtime_that_crashes_when_it_is_opened_has_failed_and_the_others_answer(finished_run, tmp_path):
    reader = RuntimePool(crashing.copy_crashing_run(finished_run, tmp_path))
    reader.wait()
    assert list(reader.failed) == ["litert-int8"]
    assert "its process was killed by SIG" in reader.failed["litert-int8"]
    others = tuple(name for name in RUNTIMES if name != "litert-int8")
    assert reader.ready == tuple(reader.read(IMAGES)) == others
    reader.close()


def read_with_a_crash(content, arrays, tell):
    """In the worker: one runtime crashes at the first image that it is asked about."""
    _crash_in("litert-fp16", os.abort)
    return READ(content, arrays, tell)


def read_with_a_hang(content, arrays, tell):
    """In the worker: one runtime never answers."""
    _crash_in("litert-fp16", lambda: time.sleep(600))
    return READ(content, arrays, tell)


def _crash_in(wanted, end):
    for (_, name), runtime in pool_worker._open.items():
        if name == wanted:
            runtime._infer = lambda *_: end()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (read_with_a_crash, "its process was killed by SIGABRT"),
        pytest.param(read_with_a_hang, "gave up after 2 s", marks=pytest.mark.slow),
    ],
)
def test_a_runtime_that_crashes_or_hangs_later_has_failed_and_the_others_are_opened_again(
    finished_run, monkeypatch, broken, reason
):
    reader = RuntimePool(finished_run)
    reader.wait()
    monkeypatch.setattr(pool_worker, "read", broken)
    monkeypatch.setattr(reader_module, "_READ_SECONDS", 2.0)
    first = reader.read(IMAGES)
    assert reader.failed == {"litert-fp16": reason}
    assert "onnxruntime" in first  # which was asked before
    assert reader.loading
    monkeypatch.undo()
    reader.wait()
    others = tuple(name for name in RUNTIMES if name != "litert-fp16")
    assert reader.ready == tuple(reader.read(IMAGES)) == others
    reader.close()


@pytest.mark.slow
def test_a_reader_opens_its_runtimes_again_when_those_of_another_one_have_crashed(finished_run, tmp_path):
    reader = RuntimePool(finished_run)
    reader.wait()
    other = RuntimePool(crashing.copy_crashing_run(finished_run, tmp_path))
    other.wait()
    reader.read(IMAGES)
    reader.wait()
    assert tuple(reader.read(IMAGES)) == RUNTIMES
    assert reader.failed == {}
    reader.close()
    other.close()
