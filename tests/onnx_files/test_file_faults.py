"""Files that are not ONNX models: each gives one sentence that says what the file is, and a hint."""

import gzip
import io
import json
import struct

import numpy as np
import pytest
import torch
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from convnet_core.errors import ModelError
from convnet_core.onnx_files import model_file
from tests.conftest import convnet

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46804251\n"


def model():
    weights = numpy_helper.from_array(np.arange(3000, dtype=np.float32).reshape(3, 1000), "w")
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 3), ("y", 1000))
    ]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def model_bytes():
    return model().SerializeToString()


def torch_bytes(value, **options):
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


KINDS = {
    "empty": (b"", "is an empty file", "download"),
    "lfs": (LFS, "is a Git LFS pointer", "git lfs pull"),
    "page": (b"\n<!DOCTYPE html>\n<html><head>", "is a web page", "raw file"),
    "server error": (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "is an XML document", "server's error"),
    "json": (b'{"message": "Not Found"}', "is a JSON file", "server's error"),
    "text": (b"Entry not found\n", "is a text file", "choose an .onnx file"),
    "gzip": (gzip.compress(model_bytes()), "is gzip-compressed", "gunzip"),
    "zip checkpoint": (torch_bytes({"w": torch.zeros(2)}), "is a PyTorch checkpoint", "torch.onnx.export"),
    "old checkpoint": (
        torch_bytes({"w": torch.zeros(2)}, _use_new_zipfile_serialization=False),
        "is a PyTorch checkpoint",
        "torch.onnx.export",
    ),
    "safetensors": (
        struct.pack("<Q", 8) + b'{"a": 1}' + bytes(40),
        "is a safetensors file",
        "weights without the network",
    ),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(60), "is a TFLite model", "use the model that it was converted from"),
    "cut in the weights": (
        model_bytes()[:2000],
        "is cut off: it has 2,000 bytes but needs at least 12,",
        "copy it again",
    ),
    "cut in the first field": (model_bytes()[:3], "is cut off", "copy it again"),
    "cut in the last field": (model_bytes()[:-1], "is cut off", "copy it again"),
    "no graph": (b"\x08\x08\x12\x07pytorch", "contains no ONNX graph", "copy it again"),
    "damaged": (model_bytes().replace(b"\x06MatMul", b"\x7fMatMul"), "is a damaged ONNX model", "copy it again"),
    "a name that is not text": (
        model_bytes().replace(b"MatMul", b"MatM\xff\xfe"),
        "is a damaged ONNX model: a name",
        "copy it again",
    ),
    "something else": (bytes(range(250, 140, -1)) * 9, "is not an ONNX model", "choose an .onnx file"),
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_file_gets_its_own_sentence(tmp_path, name):
    content, what, hint = KINDS[name]
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        model_file.load(file)
    assert str(caught.value).startswith(f"{file} {what}")
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value) + caught.value.hint


def test_tensorflow_files_are_recognized(finished_run):
    folder = finished_run.path / "convert/native"
    for name, what in (
        ("saved_model", "is the folder of a TensorFlow SavedModel"),
        ("saved_model/saved_model.pb", "is the saved_model.pb of a TensorFlow SavedModel"),
        ("frozen.pb", "is a frozen graph of TensorFlow"),
        ("model.fp32.tflite", "is a TFLite model"),
    ):
        with pytest.raises(ModelError, match=what):
            model_file.load(folder / name)


def test_the_hint_for_a_folder_names_the_model_in_it(tmp_path):
    (tmp_path / "net.onnx").write_bytes(model_bytes())
    with pytest.raises(ModelError, match="is a folder") as caught:
        model_file.load(tmp_path)
    assert "net.onnx" in caught.value.hint


@pytest.mark.parametrize("command", [["convert"], ["convert", "--check"], ["graph"], ["compare"]])
def test_every_command_gives_the_same_error_and_creates_no_run(tmp_path, command):
    (tmp_path / "model.onnx").write_bytes(LFS)
    done = convnet(*command, "--onnx", tmp_path / "model.onnx", "--runs", tmp_path / "runs", check=2)
    assert "model.onnx is a Git LFS pointer" in done.stderr
    assert "git lfs pull" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_truncated_weights_file_is_an_error(tmp_path):
    proto = model()
    external_data_helper.convert_model_to_external_data(proto, location="w.data", size_threshold=0)
    for tensor in proto.graph.initializer:
        external_data_helper.save_external_data(tensor, str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    (tmp_path / "w.data").write_bytes((tmp_path / "w.data").read_bytes()[:1000])
    with pytest.raises(ModelError, match="the weights in its other files cannot be read"):
        model_file.load(tmp_path / "model.onnx")


def test_check_prints_json_for_a_valid_model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(model_bytes())
    done = json.loads(convnet("convert", "--check", "--onnx", tmp_path / "model.onnx", "--json").stdout)
    assert done == {"model": str(tmp_path / "model.onnx"), "faults": [], "repairs": []}
