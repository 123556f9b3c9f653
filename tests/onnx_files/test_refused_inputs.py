"""If ONNX Runtime cannot run a model on its samples, a one-line error names the input, its values and the flags."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.config.stages import CompareConfig, DissectConfig
from convnet_core.errors import DataError
from convnet_core.events import Monitor
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.import_onnx import run_import_onnx
from convnet_core.tensors.model_inputs import InputSpec
from tests.conftest import convnet

TABLE = np.ones((5, 4), np.float32)


def import_model(folder, nodes, inputs, output, weights=None):
    ports = [helper.make_tensor_value_info(name, dtype, shape) for name, (dtype, shape) in inputs.items()]
    initializers = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", ports, [helper.make_tensor_value_info("y", *output)], initializers)
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "m.onnx")
    run = Run.create(folder / "run", kind="model")
    run_import_onnx(run, open_file(folder / "m.onnx"), Monitor())
    return run


@pytest.fixture
def lookup(tmp_path):
    """Ids are multiplied by 100 before a lookup, so their bounds are unknown."""
    nodes = [
        helper.make_node("Mul", ["ids", "hundred"], ["more"]),
        helper.make_node("Gather", ["table", "more"], ["rows"]),
        helper.make_node("Mul", ["rows", "x"], ["y"]),
    ]
    inputs = {"x": (T.FLOAT, ["n", 1, 4]), "ids": (T.INT64, ["n", 3])}
    return import_model(tmp_path, nodes, inputs, (T.FLOAT, ["n", 3, 4]), {"table": TABLE, "hundred": np.int64(100)})


CONFIG = CompareConfig(samples=4, batch_sizes=(1, 4))


def test_the_error_names_the_input_its_random_values_and_the_flags(lookup):
    with pytest.raises(DataError) as caught:
        run_compare(lookup, CONFIG, Monitor())
    message = str(caught.value)
    assert message.startswith("ONNX Runtime cannot run the model at batch size 1 on ")
    assert "random values for the input 'ids' (int64 [4, 3], from 0 to 1)" in message
    assert "Gather 'Gather_1': indices element out of data bounds" in message
    assert "'x'" not in message
    assert "--range 'ids=LOW,HIGH'" in caught.value.hint
    assert "--input 'ids=FILE.npy'" in caught.value.hint


def test_a_range_from_the_user_avoids_the_error(lookup):
    assert run_compare(lookup, CONFIG, Monitor(), input_spec=InputSpec(ranges={"ids": (0, 0)})).agree


def test_the_error_names_the_file_of_the_values(lookup, tmp_path):
    np.save(tmp_path / "ids.npy", np.full((2, 3), 7))
    with pytest.raises(DataError, match=r"ids\.npy for the input 'ids' \(int64 \[2, 3\], from 7 to 7\)"):
        run_compare(lookup, CONFIG, Monitor(), input_spec=InputSpec(files={"ids": str(tmp_path / "ids.npy")}))


def test_a_division_by_zero_is_a_one_line_error(tmp_path):
    nodes = [helper.make_node("Sub", ["d", "d"], ["zero"]), helper.make_node("Div", ["x", "zero"], ["y"])]
    inputs = {"x": (T.INT32, ["n", 3]), "d": (T.INT32, ["n", 3])}
    run = import_model(tmp_path, nodes, inputs, (T.INT32, ["n", 3]))
    with pytest.raises(DataError, match=r"the input 'd'.*division by zero"):
        run_compare(run, CONFIG, Monitor())


def test_compare_and_dissect_end_with_status_2(lookup):
    done = convnet("compare", "--run", lookup.path, check=2)
    assert "random values for the input 'ids'" in done.stderr
    assert "mistake" not in done.stderr
    done = convnet("dissect", "--run", lookup.path, "--steps", DissectConfig().steps, check=2)
    assert "random values for the input 'ids'" in done.stderr
