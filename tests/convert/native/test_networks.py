"""Whole networks with random parameters: the built-in ones, and small ones of torchvision.

`python -m benchmarks.zoo` tests all of torchvision.
"""

import hashlib

import numpy as np
import pytest
import torch

from convnet_core.config.stages import ConvertConfig, ExportConfig, ModelConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.events import Monitor
from convnet_core.export.onnx_export import export
from convnet_core.networks.convnet import build
from convnet_core.runtimes.litert import LiteRT
from convnet_core.runtimes.tensorflow import TensorFlowSavedModel
from testing import zoo
from tests.conftest import python
from tests.support.marks import few_quick

IMAGES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(3))


def network_with_statistics(architecture):
    """A built-in network whose batch norms are not the identity."""
    model = build(ModelConfig(architecture=architecture), seed=0)
    generator = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0, generator=generator)
        elif name.endswith("running_mean"):
            value.normal_(generator=generator)
    return model.eval()


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("layout", few_quick(["nchw", "nhwc"], "nchw"))
def test_built_in_networks_have_no_transpose(architecture, fused, layout, tmp_path):
    """Not even at the input: an image with one channel becomes channels last by a reshape."""
    model = network_with_statistics(architecture)
    exported = LoadedModel(export(model, ExportConfig(fuse_batchnorm=fused)).model)
    samples = {"input": IMAGES.numpy()}
    converted = convert(exported, tmp_path, ConvertConfig(layout=layout), samples, Monitor())
    assert converted.failed == {}
    assert converted.transposes == 0
    with torch.no_grad():
        expected = model(IMAGES).numpy()
    for runtime in (
        TensorFlowSavedModel(tmp_path / "saved_model", "native"),
        LiteRT(tmp_path / "model.fp32.tflite", "tflite", "native"),
    ):
        with runtime:
            got = runtime.infer(samples)["logits"]
        assert np.abs(got - expected).max() <= 1e-5 * np.ptp(expected), runtime.name


DIGEST_SCRIPT = """
import hashlib, json, sys
import numpy as np
from pathlib import Path
from convnet_core.onnx_files import model_file as onnx_model
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.events import Monitor
from convnet_core.runtimes.litert import LiteRT
from convnet_core.runtimes.tensorflow import TensorFlowSavedModel
images = {"input": np.random.default_rng(0).random((7, 1, 28, 28), np.float32)}
digest = hashlib.sha256()
for name in ("convnet", "deep"):
    folder = Path(sys.argv[1], name)
    folder.mkdir(parents=True)
    model = LoadedModel(onnx_model.load(folder.parent.parent / f"{name}.onnx"))
    convert(model, folder, ConvertConfig(), images, Monitor())
    for runtime in (
        TensorFlowSavedModel(folder / "saved_model", "native"), LiteRT(folder / "model.fp32.tflite", "", "")
    ):
        digest.update(runtime.infer(images)["logits"].tobytes())
    digest.update((folder / "model.int8.tflite").read_bytes())
print("digest", digest.hexdigest())
"""


@pytest.mark.slow
def test_conversion_and_outputs_are_equal_bit_for_bit_from_run_to_run(tmp_path):
    for architecture in ("convnet", "deep"):
        exported = export(network_with_statistics(architecture), ExportConfig()).model
        (tmp_path / f"{architecture}.onnx").write_bytes(exported.SerializeToString())
    digests = [python(DIGEST_SCRIPT, str(tmp_path / place)).stdout.splitlines()[-1] for place in ("first", "second")]
    assert len(digests[0]) == len("digest ") + 2 * hashlib.sha256().digest_size
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_small_networks_of_torchvision(name, tmp_path):
    result = zoo.measure(name, tmp_path)
    assert set(result["errors"]["saved_model"]) == {1, 3}
    for by_batch in result["errors"].values():
        assert max(by_batch.values()) <= zoo.ALLOWED
