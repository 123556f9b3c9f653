import pytest
from safetensors.torch import load_file, save_file

from convnet_core.common.files import read_json, write_json
from convnet_core.config.stages import CompareConfig, ConvertConfig, DataConfig, ExportConfig
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.jobs.overview import overview
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import PIPELINE
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.export import run_export
from convnet_core.stages.refresh import run_refresh
from convnet_core.stages.train import run_train
from tests.conftest import copy_of, small_train_config

SMALL = DataConfig(train_size=3000, test_size=400)


def states(run):
    return [run.state(stage).state for stage in PIPELINE]


def test_refresh_leaves_a_fresh_run_unchanged(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    before = [run.record(stage).created for stage in PIPELINE]
    assert run_refresh(run, Monitor()) == []
    assert [run.record(stage).created for stage in PIPELINE] == before


def test_stages_after_a_new_training_are_rebuilt_with_their_settings(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    path = run.path / "compare/stage.json"
    record = read_json(path)
    record["result"]["data"]["test_size"] = 100  # as after `compare --test-size 100`
    write_json(path, record)
    run_train(run, small_train_config(seed=5), Monitor())
    assert states(run) == ["fresh", "stale", "stale", "stale"]
    assert run_refresh(run, Monitor()) == list(PIPELINE[1:])
    assert states(run) == ["fresh"] * 4
    assert CompareConfig.from_json(run.record("compare").config).samples == 50
    assert run.record("compare").result["data"]["test_size"] == 100
    assert run.record("convert/native").result["data"]["test_size"] == 400


@pytest.mark.slow
def test_imported_weights_are_not_trained_again(trained_run, tmp_path):
    weights, values = tmp_path / "w.safetensors", load_file(trained_run.path / "train/model.safetensors")
    run = Run.create(tmp_path / "foreign")
    save_file(values, weights)
    run_export(run, ExportConfig(), Monitor(), weights=weights)
    run_convert(run, ConvertConfig(), Monitor(), data_config=SMALL)
    run_compare(run, CompareConfig(samples=5, int8_agreement=0.9), Monitor(), data_config=SMALL)
    save_file({**values, "fc.bias": values["fc.bias"] + 0.01}, weights)
    run_export(run, ExportConfig(), Monitor(), weights=weights)
    assert overview(run).stages["train"].state == "missing"
    assert run_refresh(run, Monitor()) == list(PIPELINE[2:])
    assert states(run)[1:] == ["fresh"] * 3


def test_refresh_of_an_empty_run_is_an_error(tmp_path):
    with pytest.raises(RunError, match="no training to start from"):
        run_refresh(Run.create(tmp_path / "empty"), Monitor())
