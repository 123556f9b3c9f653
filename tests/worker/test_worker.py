"""The worker process: messages, errors, and every way it can die."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from convnet_core.errors import DiedError, ModelError
from convnet_core.worker.client import Worker
from tests.conftest import ROOT

GIGABYTE = 1 << 30


@pytest.fixture(scope="module")
def worker():
    worker = Worker(memory=2 * GIGABYTE)
    yield worker
    worker.restart()


# -- tasks that run in the worker -------------------------------------------------------------------


def echo(content, arrays, tell):
    return {**content, "pid": os.getpid()}, arrays


def count(content, arrays, tell):
    for number in range(content["to"]):
        tell({"number": number}, {"square": np.array(number**2)})
    return {}, {}


def die(content, arrays, tell):
    tell({"alive": True}, {})
    os.kill(os.getpid(), content["signal"])
    return sleep({"seconds": 60}, {}, tell)  # the signal may hit another thread


def leave(content, arrays, tell):
    os._exit(content["status"])


def sleep(content, arrays, tell):
    time.sleep(content["seconds"])
    return {}, {}


def spin(content, arrays, tell):
    """Hold the GIL in one long call, as native code does."""
    return {"sum": sum(range(content["to"]))}, {}


def eat(content, arrays, tell):
    return {"bytes": len(bytearray(content["bytes"]))}, {}


def refuse(content, arrays, tell):
    raise ModelError("it does not fit", hint="take another one")


def fail(content, arrays, tell):
    return {"list": [][1]}, {}


def say(content, arrays, tell):
    print("not a result", flush=True)
    os.write(1, b"{}\n")
    return {"said": True}, {}


def thread(content, arrays, tell):
    time.sleep(0.05)
    return {"thread": threading.get_ident()}, {}


# -- results ----------------------------------------------------------------------------------------


def test_content_and_arrays_return_unchanged(worker, rng):
    arrays = {
        "floats": rng.random((3, 2)),
        "transposed": rng.random((2, 3), np.float32).T,
        "scalar": np.array(7, np.int8),
        "nothing": np.empty((0, 4), np.float16),
        "half": np.array([1.5, -2], ml_dtypes.bfloat16),
        "text": np.array([["a", "ü"], ["", "x\ny"]], object),
        "large": rng.random(500_000),
    }
    content, results = worker.run(echo, {"a": [1, None, "ü"], "infinite": float("inf")}, arrays)
    assert content["a"] == [1, None, "ü"]
    assert content["infinite"] == float("inf")
    assert list(results) == list(arrays)
    for name, array in arrays.items():
        assert results[name].dtype == array.dtype
        np.testing.assert_array_equal(results[name], array)


def test_the_worker_is_one_separate_process(worker):
    first, second = (worker.run(echo, {})[0]["pid"] for _ in range(2))
    assert os.getpid() != first == second == worker.pid


def test_notifications_arrive_in_order_in_the_calling_thread(worker):
    heard = []
    worker.run(count, {"to": 3}, notify=lambda content, arrays: heard.append((content, arrays, threading.get_ident())))
    assert [(content["number"], int(arrays["square"])) for content, arrays, _ in heard] == [(0, 0), (1, 1), (2, 4)]
    assert {ident for *_, ident in heard} == {threading.get_ident()}


def test_library_output_is_not_taken_as_a_result(worker):
    assert worker.run(say, {}) == ({"said": True}, {})


def test_a_project_error_keeps_its_type_and_hint(worker):
    with pytest.raises(ModelError, match="it does not fit") as raised:
        worker.run(refuse, {})
    assert raised.value.hint == "take another one"


def test_an_os_error_keeps_its_type(worker, tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        worker.run(touch, {"path": str(tmp_path / "absent" / "file")})
    assert raised.value.filename == str(tmp_path / "absent" / "file")


def test_any_other_error_becomes_a_runtime_error(worker):
    with pytest.raises(RuntimeError, match="IndexError: list index out of range"):
        worker.run(fail, {})
    assert worker.run(echo, {})[0]["pid"] == worker.pid


def test_lanes_run_in_parallel_each_in_its_own_thread(worker):
    slow = threading.Thread(target=worker.run, args=(sleep, {"seconds": 2}), kwargs={"lane": "slow"})
    slow.start()
    threads = [worker.run(thread, {}, lane="quick")[0]["thread"] for _ in range(3)]
    assert slow.is_alive()
    slow.join()
    assert len(set(threads)) == 1


def test_each_of_many_threads_gets_its_own_answer(worker):
    answers = {}

    def ask(number):
        content, arrays = worker.run(echo, {"number": number}, {"array": np.full(10_000, number)}, lane=str(number % 3))
        answers[number] = content["number"], set(arrays["array"].tolist())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for item in threads:
        item.start()
    for item in threads:
        item.join()
    assert answers == {number: (number, {number}) for number in range(24)}


def test_a_submitted_task_finishes_before_the_next_one(worker, tmp_path):
    worker.submit(touch, {"path": str(tmp_path / "there")})
    worker.run(echo, {})
    assert (tmp_path / "there").exists()


def touch(content, arrays, tell):
    time.sleep(0.2)
    Path(content["path"]).touch()
    return {}, {}


# -- the end of the process -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "content", "reason"),
    [
        (die, {"signal": signal.SIGABRT}, "its process was killed by SIGABRT"),
        (die, {"signal": signal.SIGSEGV}, "its process was killed by SIGSEGV"),
        (die, {"signal": signal.SIGKILL}, r"killed by SIGKILL \(out of memory\?\)"),
        (leave, {"status": 5}, "its process exited with status 5"),
        (leave, {"status": 0}, "its process exited with status 0"),
        (eat, {"bytes": 3 * GIGABYTE}, "its process needs more memory than its limit of 2.1 GB"),
    ],
)
def test_a_death_has_a_reason_and_the_next_task_gets_a_new_process(worker, task, content, reason):
    before = worker.run(echo, {})[0]["pid"]
    with pytest.raises(DiedError, match=reason):
        worker.run(task, content)
    assert worker.run(echo, {})[0]["pid"] != before


def test_a_hanging_task_is_stopped_at_its_limit(worker):
    before = worker.run(echo, {})[0]["pid"]
    with pytest.raises(DiedError, match=r"gave up after 0\.5 s"):
        worker.run(sleep, {"seconds": 60}, seconds=0.5)
    assert worker.run(echo, {})[0]["pid"] != before


def test_a_death_fails_all_running_tasks(worker):
    errors = []

    def wait():
        try:
            worker.run(sleep, {"seconds": 60}, lane="other")
        except DiedError as error:
            errors.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    with pytest.raises(DiedError):
        worker.run(die, {"signal": signal.SIGABRT})
    waiting.join(10)
    assert errors == ["its process was killed by SIGABRT"]


def test_the_process_ends_when_the_listener_raises(worker):
    pid = worker.run(echo, {})[0]["pid"]

    def tell(content, arrays):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(count, {"to": 1000}, notify=tell)
    wait_until_gone(pid)


_PARENT = """
import sys, threading, time
from convnet_core.worker.client import Worker
from tests.worker.test_worker import echo, spin
worker = Worker()
print(worker.run(echo, {})[0]["pid"], flush=True)
worker.run(spin, {"to": 10**12})
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the process")
def test_the_worker_ends_with_its_parent_even_while_native_code_holds_the_gil():
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.kill()
    parent.communicate()
    wait_until_gone(pid)


def wait_until_gone(pid, seconds=10):
    """Wait until a process has ended."""
    end = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < end, f"process {pid} is still running"
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
