import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from convnet_core.config.stages import ExportConfig, ModelConfig
from convnet_core.errors import ConversionError, RunError
from convnet_core.events import Message, Monitor
from convnet_core.export.onnx_export import export
from convnet_core.networks.convnet import build
from convnet_core.onnx_files.model_file import check
from convnet_core.runs.run import Run
from convnet_core.stages.export import run_export
from tests.conftest import copy_of


def network_with_statistics(architecture="convnet"):
    """A network whose batch norms are not the identity."""
    model = build(ModelConfig(architecture=architecture, channels=8), seed=0)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "1.weight", "1.bias")):
            value.normal_(generator=torch.Generator().manual_seed(1))
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
    return model


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize("fused", [True, False])
def test_the_onnx_reference_evaluator_matches_pytorch(architecture, fused):
    model = network_with_statistics(architecture)
    exported = export(model, ExportConfig(fuse_batchnorm=fused)).model
    images = torch.rand(3, 1, 28, 28)
    (output,) = ReferenceEvaluator(exported).run(None, {"input": images.numpy()})
    with torch.no_grad():
        expected = model.eval()(images).numpy()
    np.testing.assert_allclose(output, expected, atol=1e-4, rtol=1e-4)
    ops = [node.op_type for node in exported.graph.node]
    assert ("BatchNormalization" in ops) is not fused
    assert "Shape" not in ops


def test_opset_dynamic_batch_and_names():
    exported = export(network_with_statistics(), ExportConfig()).model
    assert [(item.domain, item.version) for item in exported.opset_import] == [("", 18)]
    (input_info,), (output_info,) = exported.graph.input, exported.graph.output
    assert (input_info.name, output_info.name) == ("input", "logits")
    assert input_info.type.tensor_type.shape.dim[0].dim_param
    assert [dim.dim_value for dim in input_info.type.tensor_type.shape.dim[1:]] == [1, 28, 28]
    assert not any(tensor.HasField("data_location") and tensor.data_location for tensor in exported.graph.initializer)


def test_train_mode_is_ignored_and_restored():
    model = network_with_statistics().train()
    model.layer1[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exported = export(model, ExportConfig(fuse_batchnorm=False)).model
    assert model.training
    assert model.layer1.training
    assert not model.layer1[2].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    (norm,) = [node for node in exported.graph.node if node.op_type == "BatchNormalization"]
    assert not any(item.name == "training_mode" and item.i for item in norm.attribute)


def test_the_checker_refuses_a_broken_graph():
    exported = export(network_with_statistics(), ExportConfig()).model
    exported.graph.node[0].input[0] = "nowhere"
    with pytest.raises(ConversionError, match="checker"):
        check(exported)


def test_a_wrong_export_is_discarded(monkeypatch, tmp_path, trained_run):
    """The comparison with PyTorch catches an exporter that changes the weights."""
    run = copy_of(trained_run, tmp_path)
    real = torch.onnx.export

    def wrong(model, *args, **options):
        with torch.no_grad():
            other_network = build(ModelConfig(), seed=1).eval()
        return real(other_network, *args, **options)

    monkeypatch.setattr(torch.onnx, "export", wrong)
    with pytest.raises(ConversionError, match="result differs from PyTorch's"):
        run_export(run, ExportConfig(), Monitor())
    assert run.state("export").state == "missing"


def test_imported_weights_are_exported(tmp_path):
    wrapped = {f"module.{name}": value.double() for name, value in network_with_statistics().state_dict().items()}
    torch.save(wrapped, tmp_path / "w.pth")
    run, monitor = Run.create(tmp_path / "run"), Monitor()
    monitor.emit = (events := []).append
    run_export(run, ExportConfig(), monitor, weights=tmp_path / "w.pth")
    assert [event.text for event in events if isinstance(event, Message)] == [
        f"the weights come from 'module' in {tmp_path}/w.pth",
        "8 tensors were cast from float64 to float32",
    ]
    assert run.state("export").state == "fresh"
    assert run.record("export").result["model"] == {"architecture": "convnet", "channels": 8, "kernel": 3}
    (tmp_path / "w.pth").unlink()  # the run has its own copy
    onnx.load(run.path / "export/model.onnx")
    assert (run.path / "export/model.safetensors").is_file()


def test_export_needs_a_trained_network(tmp_path):
    with pytest.raises(RunError, match="has no train yet"):
        run_export(Run.create(tmp_path / "run"), ExportConfig(), Monitor())
