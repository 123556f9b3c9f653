import threading
import time

import numpy as np
import pytest

from convnet_core.runtimes import pool_worker
from convnet_core.runtimes.pool import RuntimePool, by_label, fingerprint, largest_difference
from convnet_core.runtimes.registry import sources
from convnet_core.worker.client import shared
from tests.conftest import RUNTIMES, copy_of, python
from tests.support import reader_tasks

READ, NAMES_OF = pool_worker.read, pool_worker.names

IMAGES = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)


@pytest.fixture
def pool(finished_run):
    pool = RuntimePool(finished_run)
    pool.wait()
    yield pool
    pool.close()


def test_all_runtimes_become_ready_in_order(pool):
    assert pool.ready == pool.names == RUNTIMES
    assert not pool.loading
    assert pool.pending == ()
    assert pool.failed == {}


def test_answers_match_each_runtime_on_its_own(pool, finished_run):
    answers = pool.read(IMAGES)
    assert tuple(answers) == RUNTIMES
    for source in sources(finished_run):
        with source.open() as runtime:
            logits = runtime.infer({"input": IMAGES})["logits"]
        np.testing.assert_allclose(answers[source.name].logits, logits, rtol=1e-5, atol=1e-5)
        shares = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(1, keepdims=True)
        np.testing.assert_allclose(answers[source.name].probabilities, shares, rtol=1e-4)
        assert answers[source.name].labels.tolist() == logits.argmax(1).tolist()


def test_feature_maps_match_convolution_norm_and_relu_in_numpy(pool, finished_run):
    from safetensors.numpy import load_file

    weights = load_file(finished_run.path / "export/model.safetensors")
    kernel, bias = weights["layer1.0.weight"].astype(np.float64), weights["layer1.0.bias"]
    padded = np.pad(IMAGES[:, 0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    convolved = np.einsum("nyxij,cij->ncyx", patches, kernel[:, 0]) + bias[:, None, None]
    mean, variance = weights["layer1.1.running_mean"], weights["layer1.1.running_var"]
    scale = (weights["layer1.1.weight"] / np.sqrt(variance + 1e-5))[:, None, None]
    expected = np.maximum(0, (convolved - mean[:, None, None]) * scale + weights["layer1.1.bias"][:, None, None])
    maps = pool.features(IMAGES)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=1e-4)


def test_many_threads_get_the_same_answers_as_one(pool):
    expected = pool.read(IMAGES)
    results = []

    def work():
        results.extend(pool.read(IMAGES) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    for answers in results:
        for name in RUNTIMES:
            np.testing.assert_array_equal(answers[name].logits, expected[name].logits)


def test_the_pool_imports_no_runtime_into_its_own_process(finished_run):
    python(
        f"""
import sys
from pathlib import Path
import numpy as np
from convnet_core.runtimes.pool import RuntimePool
from convnet_core.runs.run import Run
pool = RuntimePool(Run(Path({str(finished_run.path)!r})))
pool.wait()
assert len(pool.read(np.zeros((1, 1, 28, 28), np.float32))) >= 7
assert not {{"torch", "tensorflow", "onnx", "onnxruntime", "ai_edge_litert"}} & set(sys.modules)
"""
    )


def test_ready_runtimes_answer_while_others_load(finished_run, tmp_path, monkeypatch):
    run = copy_of(finished_run, tmp_path)
    monkeypatch.setattr(pool_worker, "open_runtime", reader_tasks.open_pytorch_late)
    pool = RuntimePool(run)
    try:
        fast = tuple(name for name in RUNTIMES if not name.startswith(("pytorch", "tensorflow")))
        wait_for(lambda: pool.ready == fast)
        assert pool.loading
        assert tuple(pool.read(IMAGES)) == fast
        assert pool.pending == ("pytorch", "tensorflow", "tensorflow-frozen")
        assert pool.features(IMAGES) is None
    finally:
        (run.path / "go on").touch()
        pool.wait()
    assert pool.ready == RUNTIMES
    pool.close()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_damaged_artifact_fails_with_a_reason_and_the_others_answer(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"no model")
    pool = RuntimePool(run)
    pool.wait()
    assert list(pool.failed) == ["litert-int8"]
    assert "LiteRT cannot load" in pool.failed["litert-int8"]
    assert tuple(pool.read(IMAGES)) == pool.ready == RUNTIMES[:-1]
    pool.close()


def read_with_a_fault(content, arrays, tell):
    """Runs in the worker: make ONNX Runtime fail."""
    with reader_tasks.break_runtime("onnxruntime", lambda: {}["absent"]):
        return READ(content, arrays, tell)


def test_a_runtime_that_fails_later_is_dropped(finished_run, monkeypatch):
    pool = RuntimePool(finished_run)
    pool.wait()
    monkeypatch.setattr(pool_worker, "read", read_with_a_fault)
    assert "onnxruntime" not in pool.read(IMAGES)
    assert pool.failed == {"onnxruntime": "'absent'"}
    pool.close()


def names_with_an_unknown_runtime(content, arrays, tell):
    """Runs in the worker: add an unknown runtime to the list."""
    result, arrays = NAMES_OF(content, arrays, tell)
    return {"names": ["strange", *result["names"]]}, arrays


def test_an_unknown_runtime_is_opened_last_and_the_others_answer(finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "names", names_with_an_unknown_runtime)
    pool = RuntimePool(finished_run)
    pool.wait()
    assert (pool.ready, pool.failed) == (RUNTIMES, {"strange": "'strange'"})
    assert pool.fault is None
    pool.close()


def names_with_a_bug(content, arrays, tell):
    return {"names": [][1]}, {}


def test_an_error_in_the_opening_thread_is_reported(finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "names", names_with_a_bug)
    pool = RuntimePool(finished_run)
    pool.wait()
    assert "IndexError" in str(pool.fault)
    assert pool.read(IMAGES) == {}
    pool.close()


def test_a_missing_artifact_is_an_error_with_a_hint(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/frozen.pb").unlink()
    pool = RuntimePool(run)
    pool.wait()
    assert "frozen.pb is missing" in str(pool.fault)
    assert "convert" in pool.fault.hint
    assert pool.read(IMAGES) == {}


def test_a_closed_pool_answers_nothing_and_opens_no_more_runtimes(finished_run):
    pool = RuntimePool(finished_run)
    pool.close()
    pool.wait()
    assert pool.ready == ()
    assert pool.read(IMAGES) == {}
    assert pool.features(IMAGES) is None


def test_the_fingerprint_depends_on_artifacts_but_not_on_the_comparison(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    before = fingerprint(run)
    (run.path / "compare/report.json").write_text("{}")
    assert fingerprint(run) == before
    model = run.path / "convert/native/model.fp16.tflite"
    model.write_bytes(model.read_bytes() + b"x")
    assert fingerprint(run) != before
    model.unlink()
    assert "model.fp16.tflite gone" in fingerprint(run)


def torch_threads(content, arrays, tell):
    import torch

    return {"threads": torch.get_num_threads()}, {}


def use_two_threads(content, arrays, tell):
    """Runs in the worker: let PyTorch start with two threads, so that a limit of one is visible."""
    import torch

    torch.set_num_threads(2)
    return {}, {}


def test_torch_stays_at_one_thread_after_one_of_two_pools_is_closed(finished_run):
    shared().run(use_two_threads, {}, lane="read")
    pools = [RuntimePool(finished_run) for _ in range(2)]
    for pool in pools:
        pool.wait()
    pools[0].close()
    assert shared().run(torch_threads, {}, lane="read")[0] == {"threads": 1}
    pools[1].close()


def test_the_largest_difference_names_both_runtimes():
    values = {"a": np.array([[0.1, 0.9, 0.0]]), "b": np.array([[0.4, 0.6, 0.0]]), "c": np.array([[0.3, 0.5, 0.2]])}
    largest = largest_difference(values)
    assert (largest.label, largest.higher, largest.lower) == (1, "a", "c")
    assert largest.value == pytest.approx(0.4)
    assert largest_difference({"a": values["a"]}) is None
    assert largest_difference({}) is None


def test_the_label_of_most_runtimes_comes_first():
    assert by_label({"a": 1, "b": 7, "c": 7}) == {7: ["b", "c"], 1: ["a"]}
    assert list(by_label({"a": 1, "b": 7, "c": 7})) == [7, 1]
    assert by_label({}) == {}
