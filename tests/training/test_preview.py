"""Previews of a training: what they contain, that they change nothing, and the file that keeps the newest."""

import base64
import dataclasses

import numpy as np
import pytest
import torch

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import AugmentConfig, ModelConfig, TrainConfig
from convnet_core.data.split import Split
from convnet_core.data.strokes import generate
from convnet_core.errors import DataError, RunError
from convnet_core.events import Monitor, Preview, PreviewAnswer
from convnet_core.jobs.job import open_job
from convnet_core.jobs.preview_file import newest_preview, read_preview, write_preview
from convnet_core.networks.convnet import build
from convnet_core.runs.run import Run
from convnet_core.stages.train import run_train
from convnet_core.training import loop
from convnet_core.training.loop import Tensors
from convnet_core.training.preview import Previewer
from tests.conftest import small_train_config

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return Tensors.of(Split(*generate(1000, 0)))


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
def test_a_training_with_previews_gives_the_same_weights_bit_for_bit(digits, monkeypatch, architecture):
    monkeypatch.setattr(loop, "_EVENT_SECONDS", 0.0)  # a preview after each step
    model = ModelConfig(architecture=architecture, channels=8)
    config = TrainConfig(model=model, epochs=2, augment=AugmentConfig(rotation=5), precision="bfloat16")
    weights, previewer, taken = [], Previewer(digits), []

    def preview(model, epoch):
        taken.append(previewer.take(model, epoch))

    for options in ({}, {"preview": preview}):
        state = loop.start_training(build(config.model, 0), config, CPU)
        loop.fit(state, digits, None, config, Monitor(), **options)
        weights.append(state.model.state_dict() | {"generator": state.generator.get_state()})
    assert len(taken) > 30
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_preview_shows_the_filters_and_the_answers_of_the_network(digits):
    model = build(ModelConfig(channels=8, kernel=5), 0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    preview = Previewer(digits).take(model, 0.5)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    filters = np.frombuffer(base64.b64decode(preview.filters), np.int8).reshape(8, 5, 5)
    weight = model.layer1[0].weight.detach().numpy()[:, 0]
    np.testing.assert_allclose(filters * np.abs(weight).max() / 127, weight, atol=np.abs(weight).max() / 250)
    assert [answer.truth for answer in preview.answers] == sorted(answer.truth for answer in preview.answers)
    assert {answer.truth for answer in preview.answers} == set(range(10))
    assert len(preview.answers) == 12
    logits = loop.evaluate(model, digits).logits
    images = [base64.b64encode(image.numpy().tobytes()).decode() for image in digits.images]
    for answer in preview.answers:
        index = images.index(answer.image)
        assert digits.labels[index] == answer.truth
        assert logits[index].argmax() == answer.answer
        assert logits[index].softmax(0).max() == pytest.approx(answer.probability, abs=1e-3)


def test_a_test_set_without_some_digits_has_a_preview(digits):
    ones = (digits.labels == 1).nonzero().flatten()[:3]
    few = Tensors(digits.images[ones], digits.labels[ones])
    assert [answer.truth for answer in Previewer(few).take(build(ModelConfig(), 0), 0.0).answers] == [1, 1, 1]


def test_there_is_no_preview_of_weights_that_are_not_finite(digits):
    model = build(ModelConfig(), 0)
    with torch.no_grad():
        model.fc.weight[0, 0] = torch.nan
    assert Previewer(digits).take(model, 0.0) is None


def test_a_job_keeps_the_newest_preview_out_of_its_events(tmp_path):
    run = Run.create(tmp_path / "run")
    assert newest_preview(run) is None
    with open_job(run, "train") as job:
        run_train(run, small_train_config(), job)
    preview = newest_preview(run)
    assert preview.epoch == 1
    assert len(preview.answers) == 12
    assert "preview" not in (job.folder / "events.jsonl").read_text()
    assert not list(job.folder.glob(".preview*"))
    with pytest.raises(DataError), open_job(run, "train") as failed:
        write_preview(failed.folder, dataclasses.replace(preview, epoch=0.1))
        raise DataError("the loss is nan")
    assert newest_preview(run) == preview, "the training that failed left no result that it could stand beside"


ANSWER = {"image": base64.b64encode(bytes(784)).decode(), "truth": 1, "answer": 2, "probability": 0.5}
PREVIEW = {"epoch": 0.5, "kernel": 3, "filters": base64.b64encode(bytes(18)).decode(), "answers": [ANSWER]}


@pytest.fixture
def job_folder(tmp_path):
    folder = tmp_path / "run" / "jobs" / "job"
    folder.mkdir(parents=True)
    return folder


def test_a_preview_is_not_read_through_a_link_out_of_the_run(job_folder, tmp_path):
    write_json(tmp_path / "preview.json", PREVIEW)
    (job_folder / "preview.json").symlink_to(tmp_path / "preview.json")
    with pytest.raises(RunError, match="leads out of the run"):
        read_preview(job_folder)


def test_a_preview_survives_its_file(job_folder):
    assert read_preview(job_folder) is None
    write_json(job_folder / "preview.json", PREVIEW)
    assert read_preview(job_folder) == Preview(**{**PREVIEW, "answers": (PreviewAnswer(**ANSWER),)})


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": 4},
        {"kernel": 0},
        {"filters": ""},
        {"filters": "?"},
        {"epoch": "x"},
        {"answers": [{**ANSWER, "image": "AAAA"}]},
        {"answers": [{**ANSWER, "truth": 10}]},
        {"answers": [{**ANSWER, "probability": 1.5}]},
        {"other": 1},
    ],
)
def test_a_damaged_preview_is_an_error(job_folder, change):
    write_json(job_folder / "preview.json", {**PREVIEW, **change})
    assert read_json(job_folder / "preview.json") != PREVIEW
    with pytest.raises(RunError, match=r"preview\.json is damaged"):
        read_preview(job_folder)
