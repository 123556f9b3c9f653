import numpy as np
import pytest

from convnet_core.compare import measurements_file
from convnet_core.compare.judge import judge
from convnet_core.compare.measure import InputSet, measure
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import RunError
from tests.compare.test_measure_and_judge import IMAGES, LABELS, Fake, flip


@pytest.fixture
def measured():
    reference = Fake("pytorch")
    fakes = [reference, Fake("litert-int8", flip(0.1), "onnx-tf"), Fake("tensorflow", lambda y: y * np.nan, "onnx-tf")]
    return measure(reference, fakes, [InputSet(TEST, {"input": IMAGES}, LABELS)], (1, 130))


def test_saved_measurements_are_judged_the_same(measured, tmp_path):
    measurements_file.save(measured, tmp_path / "m.npz")
    again = measurements_file.load(tmp_path / "m.npz")
    sizes = {(name, None): 1 for name in ("pytorch", "litert-int8", "tensorflow")}
    for config in (CompareConfig(), CompareConfig(int8_agreement=0.5, int8_accuracy_drop=0.5)):
        first, second = (judge(items, sizes, "pytorch", config) for items in (measured, again))
        assert [(r.passed, r.reason) for r in first.results] == [(r.passed, r.reason) for r in second.results]
    for before, after in zip(measured, again, strict=True):
        assert before.key == after.key
        np.testing.assert_array_equal(before.max_abs, after.max_abs)
        assert before.agreement == after.agreement
        assert not after.max_abs.flags.writeable  # sessions share the loaded arrays


def test_a_damaged_file_is_an_error(tmp_path):
    (tmp_path / "m.npz").write_bytes(b"PK")
    for name in ("m.npz", "absent.npz"):
        with pytest.raises(RunError, match="cannot be read"):
            measurements_file.load(tmp_path / name)
