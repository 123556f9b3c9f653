"""Third-party native code that crashes or cannot run its own output costs only that artifact or runtime."""

import os
import time

import numpy as np
import onnxruntime
import pytest

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.compare import worker_session
from convnet_core.compare.measure import InputSet
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.signature import Port, Signature
from convnet_core.convert.targets import tflite, tflite_worker
from convnet_core.convert.targets.table import TARGETS
from convnet_core.errors import ConversionError, ModelError
from convnet_core.events import Monitor
from convnet_core.runtimes.litert import LiteRT
from convnet_core.runtimes.registry import sources
from convnet_core.runtimes.tensorflow import TensorFlowFrozen, TensorFlowSavedModel
from convnet_core.stages.compare import run_compare
from convnet_core.tensors.arrays import example_feeds
from tests.conftest import copy_of
from tests.support import crashing

# -- conversion -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "int8"),
    [
        (crashing.summing_loop, "TFLite's converter failed: its process was killed by SIGSEGV"),
        (crashing.masked, "LiteRT failed on a sample: its process was killed by SIGABRT"),
        (crashing.box_suppression, ""),
        (crashing.reverse_gru, ""),
        (crashing.kernel_as_input, "LiteRT cannot run it"),
    ],
)
def test_a_failed_artifact_has_a_reason_and_the_others_match_onnxruntime(build, int8, tmp_path):
    model, rng = build(), np.random.default_rng(1)
    signature = Signature.of(model)
    feeds = example_feeds([port.info for port in signature.inputs], _batch(signature), rng)
    conversion = convert(LoadedModel(model), tmp_path, ConvertConfig(), feeds, Monitor())
    assert int8 in conversion.failed.get("model.int8.tflite", "")
    assert set(conversion.sizes) | set(conversion.failed) == {target.file for target in TARGETS}
    for file in conversion.failed:
        assert not (tmp_path / file).exists()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    expected = dict(zip(names, session.run(names, feeds), strict=True))
    runtimes = [TensorFlowSavedModel(tmp_path / "saved_model", "native"), TensorFlowFrozen(tmp_path / "frozen.pb", "")]
    runtimes += [
        LiteRT(tmp_path / file, file, "")
        for file in ("model.fp32.tflite", "model.fp16.tflite")
        if file in conversion.sizes
    ]
    for runtime in runtimes:
        for name, array in runtime.infer(feeds).items():
            finite = np.isfinite(expected[name])  # LiteRT returns its lowest number for minus infinity
            answers = array[finite], expected[name][finite]
            np.testing.assert_allclose(*answers, rtol=1e-2, atol=1e-2, err_msg=runtime.name)
    if "model.int8.tflite" in conversion.sizes:
        assert LiteRT(tmp_path / "model.int8.tflite", "int8", "").infer(feeds).keys() == expected.keys()


def _batch(signature):
    fixed = {port.shape[0] for port in signature.inputs if port.shape[0] is not None}
    dynamic = any(port.shape[0] is None for port in signature.inputs)
    return 5 if dynamic else max(fixed)


def test_a_file_limited_to_one_batch_size_is_refused_if_tensorflow_accepts_more(tmp_path):
    files = {size: _sum_model(tmp_path / str(size), size) for size in (None, 1)}
    with pytest.raises(ConversionError, match="LiteRT cannot run it at batch 2"):
        tflite_worker.check_file(files[1], "fp32", tmp_path / "None", *_samples_of_a_sum())
    tflite_worker.check_file(
        files[1], "fp32", tmp_path / "1", *_samples_of_a_sum()
    )  # this model only accepts batch 1, so the file is not at fault
    tflite_worker.check_file(files[None], "fp32", tmp_path / "None", *_samples_of_a_sum())


def _sum_model(folder, size):
    """Save a SavedModel and a TFLite file for one batch size, or for any if size is None."""
    tf = import_tensorflow()

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="input")])
    def function(input):
        return {"logits": tf.reduce_sum(tf.concat([input, tf.ones([size, 4]) if size else input], 1), 1)}

    module = tf.Module()
    module.function = function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    path = folder / "model.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert())
    return path


def _samples_of_a_sum():
    ports = Port("input", "input", "float32", (None, 4)), Port("logits", "logits", "float32", (None,))
    return {"input": np.ones((3, 4), np.float32)}, Signature(ports[:1], ports[1:])


def hang(content, arrays, tell):
    tell({"step": tflite_worker.CONVERTING}, {})
    time.sleep(600)


@pytest.mark.slow
def test_a_hanging_converter_is_stopped_and_the_next_target_is_written(tmp_path, monkeypatch):
    model = crashing.masked()
    signature = Signature.of(model)
    (tmp_path / "saved_model").mkdir()
    monkeypatch.setattr(tflite, "_SECONDS", 0.5)
    monkeypatch.setattr(tflite_worker, "make", hang)
    with pytest.raises(ConversionError, match=r"TFLite's converter failed: gave up after 0\.5 s"):
        tflite.save(tmp_path / "saved_model", tmp_path / "model.tflite", "fp32", {}, signature)
    monkeypatch.undo()
    conversion = convert(
        LoadedModel(model), tmp_path, ConvertConfig(), {"input": np.ones((3, 6), np.float32)}, Monitor()
    )
    assert list(conversion.failed) == ["model.int8.tflite"]


# -- comparison -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crashing_run(finished_run, tmp_path_factory):
    return crashing.copy_crashing_run(finished_run, tmp_path_factory.mktemp("crashing"))


def test_a_crashing_runtime_fails_and_the_others_keep_their_results(crashing_run, tmp_path):
    run = copy_of(crashing_run, tmp_path)
    comparison = run_compare(run, CompareConfig(samples=20, batch_sizes=(1, 64)), Monitor())
    assert comparison.verdict == "disagree"
    lines = {line.name: line for line in comparison.runtimes}
    assert "failed: its process was killed by SIGABRT" in lines["litert-int8"].reason
    others = [line for name, line in lines.items() if name != "litert-int8"]
    assert len(others) >= 6
    assert all(line.passed for line in others)


@pytest.mark.slow
def test_a_crashing_reference_is_an_error(crashing_run, monkeypatch):
    monkeypatch.setattr(worker_session, "prepare_reference", crash)
    inputs = [InputSet(TEST, {"input": np.zeros((2, 1, 28, 28), np.float32)})]
    with pytest.raises(ModelError, match="the reference pytorch failed: its process was killed by SIGABRT"):
        worker_session.measure(
            crashing_run, sources(crashing_run), inputs, (1,), lambda *_: None, 1, {}, CompareConfig()
        )


def crash(content, arrays, tell):
    os.abort()
