import gzip
import io
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from onnx import helper
from safetensors.torch import save
from torch import nn

from convnet_core.common import file_kinds
from convnet_core.common.file_kinds import file_kind


def save_to_bytes(value, **options):
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


def archive(kind):
    content = io.BytesIO()
    if kind == "npz":
        np.savez(content, a=np.zeros(2))
    elif kind == "script":
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), content)
    elif kind == "pt2":
        torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),)), content)
    elif kind == "tar":
        with tarfile.open(fileobj=content, mode="w") as file:
            file.addfile(tarfile.TarInfo("a"))
    else:
        with zipfile.ZipFile(content, "w") as file:
            file.writestr(kind, b"")
    return content.getvalue()


ONNX = helper.make_model(helper.make_graph([], "g", [], []))

KINDS = {
    "empty": (b"", file_kinds.EMPTY),
    "zeros": (bytes(100), file_kinds.EMPTY),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", file_kinds.LFS),
    "html": (b"\n<!DOCTYPE html><html>", file_kinds.HTML),
    "html in lowercase": (b"\xef\xbb\xbf<html lang='en'>", file_kinds.HTML),
    "json": (b'{"weight_map": {}}', file_kinds.JSON),
    "text": ("grüße\n".encode() * 1000, file_kinds.TEXT),
    "npz": (archive("npz"), file_kinds.NPZ),
    "torchscript": (archive("script"), file_kinds.TORCHSCRIPT),
    "pt2": (archive("pt2"), file_kinds.TORCH_EXPORT),
    "keras": (archive("model.weights.h5"), file_kinds.KERAS),
    "zip": (archive("other"), file_kinds.ZIP),
    "tar": (archive("tar"), file_kinds.TAR),
    "gzip": (gzip.compress(b"x"), file_kinds.GZIP),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(9), file_kinds.HDF5),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(9), file_kinds.TFLITE),
    "gguf": (b"GGUF\3" + bytes(9), file_kinds.GGUF),
    "safetensors": (save({"a": torch.zeros(2)}), file_kinds.SAFETENSORS),
    "onnx": (ONNX.SerializeToString(), file_kinds.ONNX),
    "pickle": (b"\x80\x04K\x01.", file_kinds.PICKLE),
    "pytorch": (save_to_bytes({"a": torch.zeros(2)}), None),
    "pytorch, legacy": (save_to_bytes({"a": torch.zeros(2)}, _use_new_zipfile_serialization=False), None),
    "noise": (b"\x01\xff\xfe\x80" * 9, None),
    "one byte": (b"\x80", None),
}


@pytest.mark.parametrize("name", KINDS)
def test_file_kind_is_detected_from_content(tmp_path, name):
    content, kind = KINDS[name]
    (tmp_path / "file").write_bytes(content)
    assert file_kind(tmp_path / "file") is kind
