import threading

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from convnet_core.errors import ModelError
from convnet_core.runtimes.pool import softmax
from convnet_core.runtimes.registry import sources
from tests.conftest import RUNTIMES


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request, finished_run):
    source = next(item for item in sources(finished_run) if item.name == request.param)
    with source.open() as opened:
        yield opened


def test_all_runtimes_of_a_run_are_listed_in_order(finished_run):
    assert [source.name for source in sources(finished_run)] == list(RUNTIMES)
    assert all((finished_run.path / file).is_file() for source in sources(finished_run) for file in source.files)
    assert all(source.bytes > 100_000 for source in sources(finished_run))


def test_inputs_and_outputs_match_the_onnx_model(runtime):
    (feed,), (output,) = runtime.inputs, runtime.outputs
    assert (feed.name, feed.dtype, feed.shape) == ("input", "float32", (None, 1, 28, 28))
    assert (output.name, output.dtype, output.shape) == ("logits", "float32", (None, 10))


@pytest.mark.parametrize("batch", [1, 3, 64, 2])
def test_answers_match_onnx_reference(runtime, finished_run, batch):
    images = np.random.default_rng(batch).random((batch, 1, 28, 28), np.float32)
    model = onnx.load(finished_run.path / "export/model.onnx")
    (expected,) = ReferenceEvaluator(model).run(None, {"input": images})
    answer = runtime.infer({"input": images})["logits"]
    assert answer.shape == (batch, 10)
    assert answer.dtype == np.float32
    if runtime.name != "litert-int8":  # int8 was not calibrated on noise
        np.testing.assert_allclose(answer, expected, atol=2e-2 if runtime.name == "litert-fp16" else 1e-4)


def test_a_missing_input_is_named(runtime):
    with pytest.raises(ModelError, match="no array for the input 'input'"):
        runtime.infer({"inputs": np.zeros((1, 1, 28, 28), np.float32)})


def test_four_threads_get_the_same_answers_as_one(runtime):
    images = np.random.default_rng(0).random((8, 1, 28, 28), np.float32)
    expected = [runtime.infer({"input": images[: 1 + n]})["logits"].copy() for n in range(4)]
    faults = []

    def work(n):
        for _ in range(20):
            answer = runtime.infer({"input": images[: 1 + n]})["logits"]
            if answer.shape != expected[n].shape or not np.allclose(answer, expected[n], atol=1e-4):
                faults.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_softmax_matches_its_definition():
    logits = np.array([[0.0, np.log(3.0)], [1000.0, 1000.0]], np.float32)
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
