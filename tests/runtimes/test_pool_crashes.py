"""A runtime that crashes its process or hangs counts as failed, and the others are opened again."""

import os
import time

import numpy as np
import pytest

from convnet_core.runtimes import pool as pool_module
from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.pool import RuntimePool
from tests.conftest import RUNTIMES
from tests.support import crashing, reader_tasks

READ = pool_worker.read
IMAGES = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)


def test_a_runtime_that_crashes_on_opening_fails_and_the_others_answer(finished_run, tmp_path):
    pool = RuntimePool(crashing.copy_crashing_run(finished_run, tmp_path))
    pool.wait()
    assert list(pool.failed) == ["litert-int8"]
    assert "its process was killed by SIG" in pool.failed["litert-int8"]
    others = tuple(name for name in RUNTIMES if name != "litert-int8")
    assert pool.ready == tuple(pool.read(IMAGES)) == others
    pool.close()


def read_with_a_crash(content, arrays, tell):
    """Runs in the worker: make one runtime crash at its first image."""
    with reader_tasks.break_runtime("litert-fp16", os.abort):
        return READ(content, arrays, tell)


def read_with_a_hang(content, arrays, tell):
    """Runs in the worker: make one runtime hang."""
    with reader_tasks.break_runtime("litert-fp16", lambda: time.sleep(600)):
        return READ(content, arrays, tell)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (read_with_a_crash, "its process was killed by SIGABRT"),
        pytest.param(read_with_a_hang, "gave up after 2 s", marks=pytest.mark.slow),
    ],
)
def test_a_runtime_that_crashes_or_hangs_later_fails_and_the_others_reopen(finished_run, monkeypatch, broken, reason):
    pool = RuntimePool(finished_run)
    pool.wait()
    monkeypatch.setattr(pool_worker, "read", broken)
    monkeypatch.setattr(pool_module, "_READ_SECONDS", 2.0)
    first = pool.read(IMAGES)
    assert pool.failed == {"litert-fp16": reason}
    assert "onnxruntime" in first  # it answers before litert-fp16
    assert pool.loading
    monkeypatch.undo()
    pool.wait()
    others = tuple(name for name in RUNTIMES if name != "litert-fp16")
    assert pool.ready == tuple(pool.read(IMAGES)) == others
    pool.close()


@pytest.mark.slow
def test_a_pool_reopens_its_runtimes_after_a_crash_in_another_pool(finished_run, tmp_path):
    pool = RuntimePool(finished_run)
    pool.wait()
    other = RuntimePool(crashing.copy_crashing_run(finished_run, tmp_path))
    other.wait()
    pool.read(IMAGES)
    pool.wait()
    assert tuple(pool.read(IMAGES)) == RUNTIMES
    assert pool.failed == {}
    pool.close()
    other.close()
