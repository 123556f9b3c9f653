import numpy as np
import pytest

from convnet_core.compare.differences import Key, difference
from convnet_core.compare.judge import judge
from convnet_core.compare.measure import InputSet, ReferenceFault, measure
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig

RNG = np.random.default_rng(0)
IMAGES = RNG.random((130, 1, 4, 4), np.float32)
WEIGHTS = RNG.standard_normal((16, 10)).astype(np.float32)
LABELS = (IMAGES.reshape(130, 16) @ WEIGHTS).argmax(1)


class Fake:
    """A runtime built from a function; it records the batch size of each call."""

    def __init__(self, name, function=lambda y: y, converter=None):
        self.name, self.function, self.converter, self.batches = name, function, converter, []

    def open(self):
        return self

    def close(self):
        self.closed = True

    def infer(self, feeds):
        x = feeds["input"]
        self.batches.append(len(x))
        outputs = self.function(x.reshape(len(x), 16) @ WEIGHTS)
        return outputs if isinstance(outputs, dict) else {"logits": outputs}


def compare(*fakes, inputs=None, config=None, batches=(1, 7)):
    reference = Fake("pytorch")
    inputs = inputs or [InputSet(TEST, {"input": IMAGES}, LABELS)]
    measured = measure(reference, [reference, *fakes], inputs, batches)
    return judge(
        measured,
        {(fake.name, fake.converter): 100 for fake in (reference, *fakes)},
        "pytorch",
        config or CompareConfig(),
    )


def line(comparison, name):
    return next(item for item in comparison.runtimes if item.name == name)


def test_equal_runtimes_agree():
    comparison = compare(Fake("onnxruntime"))
    assert comparison.verdict == "agree"
    assert len(comparison.results) == 4
    assert line(comparison, "onnxruntime").accuracy == line(comparison, "onnxruntime").label_agreement == 1.0


def test_every_sample_runs_at_every_batch_size():
    fake = Fake("onnxruntime")
    compare(fake, batches=(1, 2, 7, 64))
    assert fake.batches == [1] * 130 + [2] * 65 + [7] * 18 + [4] + [64, 64, 2]


@pytest.mark.parametrize(("name", "limit"), [("onnxruntime", (1e-4, 1e-5)), ("litert-fp32", (1e-2, 1e-3))])
def test_tolerance_is_atol_plus_rtol_times_the_largest_output_of_the_sample(name, limit):
    rtol, atol = limit
    config = CompareConfig(rtol=rtol, atol=atol)

    def off_by(share):
        def spoil(y):
            spoiled = y.astype(np.float64)
            spoiled[:, 0] += share * (atol + rtol * np.abs(spoiled).max(1))
            return spoiled

        return spoil

    assert compare(Fake(name, off_by(0.98)), config=config).agree
    failed = compare(Fake(name, off_by(1.02)), config=config)
    assert failed.verdict == "disagree"
    assert "130 of 130 samples are beyond tolerance" in line(failed, name).reason


def test_differences_match_numpy():
    noise = RNG.normal(0, 1e-3, (130, 10))
    a = (IMAGES.reshape(130, 16) @ WEIGHTS).astype(np.float64)
    measured = difference(Key("x", None, TEST, 130, "logits"), a + noise, a, LABELS)
    error = np.abs((a + noise) - a)
    assert measured.max_abs.max() == error.max()
    assert measured.mean_abs == pytest.approx(error.mean())
    assert measured.max_rel == pytest.approx((error.max(1) / np.abs(a).max(1)).max())
    assert measured.agreement == ((a + noise).argmax(1) == a.argmax(1)).mean()


def test_zeros_against_zeros_have_no_relative_error():
    zeros = np.zeros((3, 2))
    assert difference(Key("x", None, "zeros", 1, "y"), zeros, zeros).max_rel == 0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y: np.where(np.arange(10) == 3, np.nan, y), "130 values are NaN or infinite"),
        (lambda y: y[:, :9], "wrong shape"),
        (lambda y: y[:1], "wrong shape"),
        (lambda y: {"other": y}, "no common output"),
        (lambda y: y / [], "failed: operands could not be broadcast"),
    ],
)
def test_unmeasurable_outputs_fail_with_a_reason(function, message):
    comparison = compare(Fake("bad", function), Fake("good"), batches=(7,))
    assert comparison.verdict == "disagree"
    assert message in line(comparison, "bad").reason
    assert line(comparison, "good").passed


def test_nan_in_a_quantized_runtime_fails_on_any_input():
    noise = InputSet("noise", {"input": IMAGES})
    comparison = compare(Fake("litert-int8", lambda y: y * np.nan), inputs=[noise])
    assert not line(comparison, "litert-int8").passed


def test_nan_in_the_reference_always_fails():
    expected = np.array([[0.0, np.nan, 0.0]])
    measured = difference(Key("x", None, TEST, 1, "y"), np.ones((1, 3)), expected)
    assert not judge([measured], {("x", None): 1}, "pytorch", CompareConfig(atol=1.0)).agree


def test_every_runtime_is_closed():
    fake = Fake("onnxruntime")
    compare(fake)
    assert fake.closed


def test_a_runtime_that_cannot_be_opened_does_not_stop_the_others():
    class Broken(Fake):
        def open(self):
            raise OSError("no such file")

    comparison = compare(Broken("tensorflow"), Fake("onnxruntime"))
    assert "no such file" in line(comparison, "tensorflow").reason
    assert line(comparison, "onnxruntime").passed


def test_an_empty_comparison_does_not_agree():
    assert judge([], {}, "pytorch", CompareConfig()).verdict == "disagree"


def flip(share):
    """Change the label of a share of the samples, far beyond the tolerance for float32."""

    def spoil(y):
        spoiled = y.copy()
        rows = np.random.default_rng(len(y)).permutation(len(y))[: round(share * len(y))]
        spoiled[rows] = -spoiled[rows]
        return spoiled

    return spoil


@pytest.mark.parametrize(
    ("name", "share", "passes"),
    [
        ("litert-int8", 1 / 130, True),
        ("litert-int8", 3 / 130, False),
        ("litert-fp16", 0, True),
        ("litert-fp16", 1 / 130, False),
    ],
)
def test_quantized_runtimes_are_judged_by_labels_on_the_test_set(name, share, passes):
    config = CompareConfig(int8_accuracy_drop=0.01)
    assert compare(Fake(name, flip(share)), config=config, batches=(130,)).agree is passes


def test_quantized_runtimes_are_not_judged_on_other_inputs():
    noise = InputSet("noise", {"input": IMAGES})
    comparison = compare(Fake("litert-int8", lambda y: -y), inputs=[noise])
    assert comparison.agree
    result = comparison.results[-1]
    assert (result.judged, result.passed) == (False, True)
    assert result.measured.max_abs.max() > 1


def test_accuracy_uses_true_labels_and_agreement_uses_the_reference():
    truth = LABELS.copy()
    truth[:13] = (truth[:13] + 1) % 10
    comparison = compare(Fake("onnxruntime"), inputs=[InputSet(TEST, {"input": IMAGES}, truth)])
    assert line(comparison, "onnxruntime").accuracy == 0.9
    assert line(comparison, "onnxruntime").label_agreement == 1.0


def test_judging_with_new_tolerances_needs_no_new_measurement():
    reference, fake = Fake("pytorch"), Fake("onnxruntime", lambda y: y + np.float32(1e-3))
    measured = measure(reference, [fake], [InputSet(TEST, {"input": IMAGES}, LABELS)], (64,))
    sizes = {("onnxruntime", None): 1}
    assert not judge(measured, sizes, "pytorch", CompareConfig()).agree
    assert judge(measured, sizes, "pytorch", CompareConfig(atol=2e-3)).agree


def judge_noise(reference, *fakes, precisions=None, batches=(1, 7)):
    inputs = [InputSet("noise", {"input": IMAGES})]
    measured = measure(reference, [reference, *fakes], inputs, batches, precisions=precisions or {})
    sizes = {(fake.name, None): 1 for fake in (reference, *fakes)}
    return judge(measured, sizes, reference.name, CompareConfig())


def center(y):
    """Make each answer depend on the whole batch."""
    return y - y.mean(axis=0)


def test_batch_dependent_outputs_are_compared_at_equal_batches_with_a_note():
    comparison = judge_noise(Fake("onnxruntime", center), Fake("tensorflow", center))
    assert comparison.agree
    assert comparison.notes == (
        "'logits': the answers of onnxruntime depend on the batch, so all are compared at the same batch size",
    )
    assert not judge_noise(Fake("onnxruntime"), Fake("tensorflow")).notes


def test_a_count_over_the_batch_is_compared_at_equal_batches():
    def count(y):
        return np.atleast_1d((y > 0).sum())

    assert judge_noise(Fake("onnxruntime", count), Fake("tensorflow", count)).agree


def test_a_runtime_that_ignores_the_batch_fails_if_the_reference_depends_on_it():
    comparison = judge_noise(Fake("onnxruntime", center), Fake("tensorflow"))
    assert not comparison.agree
    assert [line.name for line in comparison.runtimes if not line.passed] == ["tensorflow"]


def test_a_random_reference_does_not_agree_with_itself():
    rng = np.random.default_rng(0)
    comparison = judge_noise(Fake("onnxruntime", lambda y: y + rng.random()))
    assert not comparison.agree
    assert "beyond tolerance" in line(comparison, "onnxruntime").reason
    assert not comparison.notes  # its answers do not depend on the batch


def test_a_failing_reference_stops_the_comparison():
    with pytest.raises(ReferenceFault, match="broadcast"):
        judge_noise(Fake("onnxruntime", lambda y: y / []))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_only_equal_infinities_and_nans_match(value):
    def masked(y, value=value):
        return np.where(np.arange(10) == 3, value, y)

    assert judge_noise(Fake("onnxruntime", masked), Fake("tensorflow", masked)).agree
    other = Fake("tensorflow", lambda y: masked(y, -value if np.isinf(value) else 0.0))
    assert not judge_noise(Fake("onnxruntime", masked), other).agree


def test_half_precision_is_judged_by_its_own_tolerance_with_a_note():
    off = Fake("tensorflow", lambda y: y + 5e-3 * np.abs(y).max(axis=1, keepdims=True))
    assert not judge_noise(Fake("onnxruntime"), off).agree
    comparison = judge_noise(Fake("onnxruntime"), off, precisions={"logits": "float16"})
    assert comparison.agree
    assert "'logits': computed in float16 on the way" in comparison.notes[0]
    assert "0.001 + 0.01 × the largest |output|" in comparison.notes[0]


def test_an_optimized_quantized_model_is_shown_and_not_judged():
    off = Fake("onnxruntime-optimized", lambda y: y + 1)
    assert not judge_noise(Fake("onnxruntime"), off).agree
    comparison = judge_noise(Fake("onnxruntime"), off, precisions={"logits": "uint8"})
    assert comparison.agree
    assert not line(comparison, "onnxruntime-optimized").judged
    assert line(comparison, "onnxruntime-optimized").max_abs_error == pytest.approx(1, rel=1e-5)
    assert "int8 kernels" in line(comparison, "onnxruntime-optimized").reason


@pytest.mark.parametrize(("off", "agree"), [(1, True), (2, False)])
def test_a_quantized_output_may_differ_by_one_step(off, agree):
    def whole(y, off=0):
        return np.clip(y * 10 + 100 + off, 0, 255).astype(np.uint8)

    fakes = Fake("onnxruntime", whole), Fake("tensorflow", lambda y: whole(y, off))
    assert judge_noise(*fakes, precisions={"logits": "uint8"}).agree is agree
    assert not judge_noise(*fakes).agree
