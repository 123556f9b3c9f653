"""The whole test set at the largest batch size and a sample of it at the others: no fault hides behind the sample."""

import numpy as np
import pytest

from convnet_core.compare.judge import judge
from convnet_core.compare.measure import SAMPLE, evenly_spaced, measure
from convnet_core.compare.report import report_of
from convnet_core.compare.report_file import TEST
from convnet_core.config.stages import CompareConfig
from convnet_core.data.split import Split
from convnet_core.networks.ports import INPUT
from convnet_core.stages.samples import digit_inputs

COUNT = 2500
RNG = np.random.default_rng(0)
WEIGHTS = RNG.standard_normal((784, 10)).astype(np.float32)
IMAGES = RNG.integers(0, 256, (COUNT, 28, 28), np.uint8)
TRUTH = (IMAGES.reshape(COUNT, 784) @ WEIGHTS).argmax(1)
DIGITS = Split(IMAGES, TRUTH.astype(np.uint8))
SAMPLED = evenly_spaced(COUNT, SAMPLE).tolist()
FLOAT, INT8 = "onnxruntime", "litert-int8"


class Fake:
    """A runtime whose answers go through a function of (images uint8 [n, 784], logits [n, 10])."""

    converter = None

    def __init__(self, name, spoil=lambda _, logits: logits):
        self.name, self.spoil, self.batches = name, spoil, []

    def open(self):
        return self

    def close(self):
        pass

    def infer(self, feeds):
        images = feeds[INPUT].reshape(-1, 784)
        self.batches.append(len(images))
        return {"logits": self.spoil(np.rint(images * 255).astype(int), images @ WEIGHTS)}


def compare(fake, config=None, digits=DIGITS):
    config = config or CompareConfig(samples=10)
    reference = Fake("pytorch")
    measured = measure(reference, [fake], digit_inputs(digits, config), config.batch_sizes)
    return judge(measured, {("pytorch", None): 1, (fake.name, None): 1}, "pytorch", config)


def wrong_for(chosen):
    """Turn the answers for some images, given as indices, upside down."""
    pixels = IMAGES.reshape(COUNT, 784)[list(chosen)]

    def spoil(images, logits):
        hit = (images[:, None] == pixels[None]).all(axis=2).any(axis=1)
        return np.where(hit[:, None], -logits, logits)

    return spoil


def line(comparison, name):
    return next(item for item in comparison.runtimes if item.name == name)


def samples(comparison):
    return {
        item.measured.key.batch: len(item.measured.max_abs)
        for item in comparison.results
        if item.measured.key.inputs == TEST
    }


def test_the_whole_test_set_runs_at_the_largest_batch_size_and_a_sample_at_the_others():
    comparison = compare(Fake(FLOAT))
    assert comparison.agree
    assert samples(comparison) == {64: COUNT, 1: SAMPLE, 2: SAMPLE, 7: SAMPLE}
    assert samples(compare(Fake(FLOAT), CompareConfig(full=True, samples=10))) == dict.fromkeys((1, 2, 7, 64), COUNT)
    assert samples(compare(Fake(FLOAT), CompareConfig(batch_sizes=(2,), samples=10))) == {2: COUNT}
    few = compare(Fake(FLOAT), digits=DIGITS.first(SAMPLE))
    assert samples(few) == dict.fromkeys((1, 2, 7, 64), SAMPLE)


def test_the_report_says_how_many_images_each_batch_size_ran():
    def scope(**changes):
        return report_of(compare(Fake(FLOAT), CompareConfig(samples=10, **changes)), "a run", {}).scope

    assert scope() == "2,500 images of the test set at batch size 64, 1,000 of them at batch sizes 1, 2 and 7"
    assert scope(full=True) == "2,500 images of the test set at batch sizes 1, 2, 7 and 64"


@pytest.mark.parametrize("name", [FLOAT, INT8])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_fault_that_shows_only_at_another_batch_size_is_found(name, batch):
    def spoil(images, logits):
        return -logits if len(images) == batch else logits

    comparison = compare(Fake(name, spoil))
    assert not comparison.agree
    assert f"{TEST}, batch {batch}" in line(comparison, name).reason


def test_a_fault_in_one_image_outside_the_sample_is_found():
    outside = next(index for index in range(SAMPLE, COUNT) if index not in SAMPLED)
    comparison = compare(Fake(FLOAT, wrong_for([outside])))
    assert not comparison.agree
    assert line(comparison, FLOAT).reason == f"{TEST}, batch 64: 1 of {COUNT} samples is beyond tolerance"


def test_labels_that_differ_outside_the_sample_are_found():
    outside = [index for index in range(COUNT) if index not in SAMPLED][:30]
    comparison = compare(Fake(INT8, wrong_for(outside)))
    assert not comparison.agree
    assert line(comparison, INT8).label_agreement == 1 - 30 / COUNT
    assert line(comparison, INT8).accuracy == 1 - 30 / COUNT


def test_a_few_labels_that_happen_to_be_in_the_sample_do_not_fail_it():
    """12 of 2,500 are within 99 % and 0.5 points, and 12 of 1,000 would not be."""
    comparison = compare(Fake(INT8, wrong_for(SAMPLED[:12])))
    assert comparison.agree
    assert line(comparison, INT8).label_agreement == 1 - 12 / COUNT


def test_one_more_label_than_at_the_largest_batch_size_fails_a_sample_beyond_its_limit():
    always, sometimes = wrong_for(SAMPLED[:12]), wrong_for(SAMPLED[:13])
    fake = Fake(INT8, lambda images, logits: (sometimes if len(images) == 2 else always)(images, logits))
    comparison = compare(fake)
    assert not comparison.agree
    assert f"{TEST}, batch 2" in line(comparison, INT8).reason
