"""What the converter does not support is reported by the check before the conversion fails at it."""

import numpy as np
import onnx
import pytest

from convnet_core.convert.loaded_model import load_imported
from convnet_core.convert.native import converter
from convnet_core.errors import ConvNetError
from convnet_core.onnx_files.model_file import open_file
from tests.convert.test_loaded_model import f, model, node, port

LIMITED = {
    "a convolution over four dimensions": (
        model(
            [node("Conv", "x w", "y")], [port("x", [1, 2, 3, 3, 3, 3])], [port("y", None)], {"w": f(2, 2, 2, 2, 2, 2)}
        ),
        "4 spatial dimensions: 1 to 3 are supported",
    ),
    "a batch normalization in training mode, before version 14": (
        model(
            [node("BatchNormalization", "x s b m v", "y p q r t")],
            outputs=[port("y", ["n", 3]), port("p", [3])],
            weights=dict.fromkeys("sbmv", np.ones(3, np.float32)),
            opset=9,
        ),
        "batch normalization in training mode is supported from version 14 on",
    ),
}


@pytest.mark.parametrize("name", LIMITED)
def test_the_check_and_the_conversion_report_the_same_limits(tmp_path, name):
    proto, sentence = LIMITED[name]
    onnx.save(proto, tmp_path / "a.onnx")
    loaded = load_imported(open_file(tmp_path / "a.onnx"))
    (fault,) = loaded.unsupported
    assert sentence in fault
    with pytest.raises(ConvNetError) as caught:
        converter.convert(loaded.graph)
    assert fault in str(caught.value)
