"""`--only` writes the chosen formats and no others; later stages do not expect the rest."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from convnet_core.artifacts.artifact import Artifact, artifacts
from convnet_core.artifacts.snippets import snippet, snippets
from convnet_core.config.stages import CompareConfig, ConvertConfig, ExportConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets.table import TARGETS, select_targets
from convnet_core.errors import ConfigError
from convnet_core.events import Monitor
from convnet_core.runtimes.registry import not_made, sources
from convnet_core.runtimes.specs import SPECS
from convnet_core.stages.compare import run_compare
from convnet_core.stages.export import run_export
from convnet_core.stages.refresh import run_refresh
from tests.conftest import convnet, copy_of

SMALL = CompareConfig(batch_sizes=(1, 3), samples=8)


def model():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize("names", [[target.name] for target in TARGETS] + [["tflite-int8", "frozen-graph"]])
def test_each_format_can_be_written_without_the_others(names, tmp_path):
    feeds = {"x": np.ones((4, 3), np.float32)}
    converted = convert(LoadedModel(model()), tmp_path, ConvertConfig(only=tuple(names)), feeds, Monitor())
    files = {target.file for target in TARGETS if target.name in names}
    assert (set(converted.sizes), converted.failed) == (files, {})
    assert {path.name for path in tmp_path.iterdir()} == files | {"signature.json", "nodes.json"}


def test_names_files_and_titles_are_unique():
    for values in zip(*((target.name, target.file, target.title) for target in TARGETS), strict=True):
        assert len(set(values)) == len(TARGETS)


def test_every_target_has_a_runtime():
    assert {target.file for target in TARGETS} == {spec.file for spec in SPECS if spec.stage == "convert"}


def test_every_target_has_a_snippet():
    for target in TARGETS:
        artifact = Artifact("convert/native", target.file, target.format, target.title, target.about, (), 0)
        assert target.file in snippet(artifact, Signature((), ()))


def test_an_unknown_name_is_an_error_that_lists_the_names():
    assert select_targets(()) == TARGETS
    with pytest.raises(ConfigError, match="'tflite'") as caught:
        select_targets(("saved-model", "tflite"))
    assert all(target.name in caught.value.hint for target in TARGETS)
    assert "tflite-fp32" in convnet("convert", "--only", "tflite", check=2).stderr


def test_later_stages_artifacts_and_refresh_use_the_chosen_targets(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    convnet("convert", "--run", run.path, "--only", "saved-model", "--only", "tflite-int8,tflite-fp32")
    for refreshed in (False, True):
        names = [source.name for source in sources(run) if source.converter]
        assert names == ["tensorflow", "litert-fp32", "litert-int8"]
        assert not_made(run) == []
        files = {item.name for item in artifacts(run) if item.stage == "convert/native" and item.kind != "description"}
        assert files == {"saved_model", "model.fp32.tflite", "model.int8.tflite"}
        assert {item.name for item in snippets(run)} == files | {"model.onnx"}
        assert run_compare(run, SMALL, Monitor()).agree
        if not refreshed:
            run_export(run, ExportConfig(opset=19), Monitor())
            assert "convert/native" in run_refresh(run, Monitor())
