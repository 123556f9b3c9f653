import threading

import numpy as np
import pytest

from convnet_core.reader import Reader, by_label, fingerprint, largest_difference
from convnet_core.runtimes import sources
from tests.conftest import copy_of, python

NAMES = (
    "pytorch",
    "onnxruntime",
    "onnxruntime-optimized",
    "tensorflow",
    "tensorflow-frozen",
    "litert-fp32",
    "litert-fp16",
    "litert-int8",
)
IMAGES = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)


@pytest.fixture(scope="module")
def reader(finished_run):
    reader = Reader(finished_run)
    reader.wait()
    yield reader
    reader.close()


def test_all_runtimes_become_ready_in_their_order(reader):
    assert reader.ready == reader.names == NAMES
    assert not reader.loading
    assert reader.pending == ()
    assert reader.failed == {}


def test_answers_are_those_of_each_runtime_alone(reader, finished_run):
    answers = reader.read(IMAGES)
    assert tuple(answers) == NAMES
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
        for name in NAMES:
            np.testing.assert_array_equal(answers[name].logits, expected[name].logits)


def test_every_runtime_meets_one_thread_only(reader, monkeypatch):
    met = set()
    runtime = reader._runtimes["tensorflow"]
    infer = runtime.infer
    monkeypatch.setattr(runtime, "infer", lambda feeds: met.add(threading.get_ident()) or infer(feeds))
    for _ in range(3):
        thread = threading.Thread(target=lambda: (reader.read(IMAGES), reader.features(IMAGES)))
        thread.start()
        thread.join()
    assert len(met) == 1
    assert threading.get_ident() not in met


def test_a_rerun_of_a_page_leaves_tensorflow_as_it_is(reader):
    import tensorflow as tf
    from streamlit.runtime.scriptrunner.script_runner import _clean_problem_modules

    graph = tf.compat.v1.get_default_graph()
    _clean_problem_modules()  # what Streamlit does at the end of each; Keras would begin another graph
    assert tf.compat.v1.get_default_graph() is graph


def test_what_is_ready_answers_before_all_are_ready(finished_run, monkeypatch):
    from convnet_core.runtimes.pytorch import PyTorch

    go_on, waiting = threading.Event(), threading.Event()
    begin = PyTorch.__init__

    def slow(self, *args):
        waiting.set()
        go_on.wait(60)
        begin(self, *args)

    monkeypatch.setattr(PyTorch, "__init__", slow)
    reader = Reader(finished_run)
    try:
        assert waiting.wait(60)
        fast = ("onnxruntime", "onnxruntime-optimized", "litert-fp32", "litert-fp16", "litert-int8")
        assert reader.loading
        assert reader.ready == fast == tuple(reader.read(IMAGES))
        assert reader.pending == ("pytorch", "tensorflow", "tensorflow-frozen")
        assert reader.features(IMAGES) is None
    finally:
        go_on.set()
        reader.wait()
    assert reader.ready == NAMES
    reader.close()


def test_a_damaged_artefact_fails_with_its_reason_and_the_others_answer(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/model.int8.tflite").write_bytes(b"no model")
    reader = Reader(run)
    reader.wait()
    assert list(reader.failed) == ["litert-int8"]
    assert "LiteRT cannot load" in reader.failed["litert-int8"]
    assert tuple(reader.read(IMAGES)) == reader.ready == NAMES[:-1]
    reader.close()


def test_a_runtime_that_fails_later_is_put_aside(finished_run, monkeypatch):
    reader = Reader(finished_run)
    reader.wait()
    monkeypatch.setattr(type(reader._runtimes["onnxruntime"]), "_infer", lambda _, feeds: feeds["absent"])
    assert "onnxruntime" not in reader.read(IMAGES)
    assert reader.failed == {"onnxruntime": "'absent'", "onnxruntime-optimized": "'absent'"}
    reader.close()


def test_an_artefact_that_is_gone_is_a_fault_with_a_hint(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    (run.path / "convert/native/frozen.pb").unlink()
    reader = Reader(run)
    reader.wait()
    assert "frozen.pb is gone" in str(reader.fault)
    assert "convert" in reader.fault.hint
    assert reader.read(IMAGES) == {}


def test_closed_it_reads_nothing_and_opens_nothing_more(finished_run):
    reader = Reader(finished_run)
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


def test_torch_keeps_to_one_thread_after_one_reader_of_two_is_closed(finished_run):
    python(
        f"""
import threading
import torch
from pathlib import Path
from convnet_core.reader import Reader
from convnet_core.runs import Run
torch.set_num_threads(2)
readers = []
for _ in range(2):
    readers.append(Reader(Run(Path({str(finished_run.path)!r}))))
    readers[-1].wait()
readers[0].close()
found = []
thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))  # as Streamlit's next rerun would
thread.start()
thread.join()
assert found == [1], found
"""
    )


def test_importing_it_is_light():
    python("""
import sys
import convnet_core.reader
assert not {"torch", "tensorflow", "onnx", "onnxruntime", "ai_edge_litert", "streamlit"} & set(sys.modules)
""")


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
