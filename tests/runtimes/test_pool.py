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
def reader(finished_run):
    reader = RuntimePool(finished_run)
    reader.wait()
    yield reader
    reader.close()


def test_all_runtimes_become_ready_in_their_order(reader):
    assert reader.ready == reader.names == RUNTIMES
    assert not reader.loading
    assert reader.pending == ()
    assert reader.failed == {}


def test_answers_are_those_of_each_runtime_alone(reader, finished_run):
    answers = reader.read(IMAGES)
    assert tuple(answers) == RUNTIMES
    for source in sources(finished_run):
        with source.open() as runtime:
            logits = runtime.infer({"input": IMAGES})["logits"]
        np.testing.assert_allclose(answers[source.name].logits, logits, rtol=1e-5, atol=1e-5)
        shares = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(1, keepdims=True)
        np.testing.assert_allclose(answers[source.name].probabilities, shares, rtol=1e-4)
        assert answers[source.name].labels.tolist() == logits.argmax(1).tolist()


def test_feature_maps_are_convolution_norm_and_relu_of_the_image(reader, finished_run):
    from safetensors.numpy import load_file

    weights = load_file(finished_run.path / "export/model.safetensors")
    kernel, bias = weights["layer1.0.weight"].astype(np.float64), weights["layer1.0.bias"]
    padded = np.pad(IMAGES[:, 0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    found = np.einsum("nyxij,cij->ncyx", patches, kernel[:, 0]) + bias[:, None, None]
    mean, variance = weights["layer1.1.running_mean"], weights["layer1.1.running_var"]
    scale = (weights["layer1.1.weight"] / np.sqrt(variance + 1e-5))[:, None, None]
    expected = np.maximum(0, (found - mean[:, None, None]) * scale + weights["layer1.1.bias"][:, None, None])
    maps = reader.features(IMAGES)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=1e-4)


def test_many_threads_get_the_answers_of_one(reader):
    expected = reader.read(IMAGES)
    found = []

    def work():
        found.extend(reader.read(IMAGES) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    for answers in found:
        for name in RUNTIMES:
            np.testing.assert_array_equal(answers[name].logits, expected[name].logits)


def test_this_process_imports_no_runtime(finished_run):
    python(
        f"""
import sys
from pathlib import Path
import numpy as np
from convnet_core.runtimes.pool import RuntimePool
from convnet_core.runs.run import Run
reader = RuntimePool(Run(Path({str(finished_run.path)!r})))
reader.wait()
assert len(reader.read(np.zeros((1, 1, 28, 28), np.float32))) >= 7
assert not {{"torch", "tensorflow", "onnx", "onnxruntime", "ai_edge_litert"}} & set(sys.modules)
"""
    )


def test_what_is_ready_answers_before_all_are_ready(finished_run, tmp_path, monkeypatch):
    run = copy_of(finished_run, tmp_path)
    monkeypatch.setattr(pool_worker, "open_runtime", reader_tasks.open_pytorch_late)
    reader = RuntimePool(run)
    try:
        fast = tuple(name for name in RUNTIMES if not name.startswith(("pytorch", "tensorflow")))
        wait_for(lambda: reader.ready == fast)
        assert reader.loading
        assert tuple(reader.read(IMAGES)) == fast
        assert reader.pending == ("pytorch", "tensorflow", "tensorflow-frozen")
        assert reader.features(IMAGES) is None
    finally:
        (run.path / "go on").touch()
        reader.wait()
    assert reader.ready == RUNTIMES
    reader.close()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_damaged_artefact_fails_with_its_reason_and_the_others_answer(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"no model")
    reader = RuntimePool(run)
    reader.wait()
    assert list(reader.failed) == ["litert-int8"]
    assert "LiteRT cannot load" in reader.failed["litert-int8"]
    assert tuple(reader.read(IMAGES)) == reader.ready == RUNTIMES[:-1]
    reader.close()


def read_with_a_fault(content, arrays, tell):
    """In the worker: the ONNX Runtime of one reader fails."""
    pool_worker._open[content["reader"], "onnxruntime"]._infer = lambda feeds: feeds["absent"]
    return READ(content, arrays, tell)


def test_a_runtime_that_fails_later_is_put_aside(finished_run, monkeypatch):
    reader = RuntimePool(finished_run)
    reader.wait()
    monkeypatch.setattr(pool_worker, "read", read_with_a_fault)
    assert "onnxruntime" not in reader.read(IMAGES)
    assert reader.failed == {"onnxruntime": "'absent'"}
    reader.close()


def names_with_another(content, arrays, tell):
    """In the worker: a runtime that nobody has heard of."""
    made, arrays = NAMES_OF(content, arrays, tell)
    return {"names": ["strange", *made["names"]]}, arrays


def test_a_runtime_of_an_unknown_name_is_tried_last_and_the_others_answer(finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "names", names_with_another)
    reader = RuntimePool(finished_run)
    reader.wait()
    assert (reader.ready, reader.failed) == (RUNTIMES, {"strange": "'strange'"})
    assert reader.fault is None
    reader.close()


def names_with_a_bug(content, arrays, tell):
    return {"names": [][1]}, {}


def test_a_fault_of_the_thread_that_opens_is_told(finished_run, monkeypatch):
    monkeypatch.setattr(pool_worker, "names", names_with_a_bug)
    reader = RuntimePool(finished_run)
    reader.wait()
    assert "IndexError" in str(reader.fault)
    assert reader.read(IMAGES) == {}
    reader.close()


def test_an_artefact_that_is_gone_is_a_fault_with_a_hint(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/frozen.pb").unlink()
    reader = RuntimePool(run)
    reader.wait()
    assert "frozen.pb is missing" in str(reader.fault)
    assert "convert" in reader.fault.hint
    assert reader.read(IMAGES) == {}


def test_closed_it_reads_nothing_and_opens_nothing_more(finished_run):
    reader = RuntimePool(finished_run)
    reader.close()
    reader.wait()
    assert reader.ready == ()
    assert reader.read(IMAGES) == {}
    assert reader.features(IMAGES) is None


def test_the_fingerprint_changes_with_an_artefact_and_not_with_a_comparison(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    before = fingerprint(run)
    (run.path / "compare/report.json").write_text("{}")
    assert fingerprint(run) == before
    model = run.path / "convert/native/model.fp16.tflite"
    model.write_bytes(model.read_bytes() + b"x")
    assert fingerprint(run) != before
    model.unlink()
    assert "model.fp16.tflite gone" in fingerprint(run)


def threads_of_torch(content, arrays, tell):
    import torch

    return {"threads": torch.get_num_threads()}, {}


def use_two_threads(content, arrays, tell):
    """In the worker: as many as PyTorch may begin with; with one there would be nothing to keep to."""
    import torch

    torch.set_num_threads(2)
    return {}, {}


def test_torch_keeps_to_one_thread_after_one_reader_of_two_is_closed(finished_run):
    shared().run(use_two_threads, {}, lane="read")
    readers = [RuntimePool(finished_run) for _ in range(2)]
    for reader in readers:
        reader.wait()
    readers[0].close()
    assert shared().run(threads_of_torch, {}, lane="read")[0] == {"threads": 1}
    readers[1].close()


def test_the_largest_difference_names_both_runtimes():
    values = {"a": np.array([[0.1, 0.9, 0.0]]), "b": np.array([[0.4, 0.6, 0.0]]), "c": np.array([[0.3, 0.5, 0.2]])}
    found = largest_difference(values)
    assert (found.label, found.higher, found.lower) == (1, "a", "c")
    assert found.value == pytest.approx(0.4)
    assert largest_difference({"a": values["a"]}) is None
    assert largest_difference({}) is None


def test_the_label_of_most_runtimes_comes_first():
    assert by_label({"a": 1, "b": 7, "c": 7}) == {7: ["b", "c"], 1: ["a"]}
    assert list(by_label({"a": 1, "b": 7, "c": 7})) == [7, 1]
    assert by_label({}) == {}
