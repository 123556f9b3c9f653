"""Small valid files of every binary format, and hostile ones that small changes to those would not produce."""

from __future__ import annotations

import functools
import gzip
import io
import zipfile
import zlib
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from PIL import Image

from convnet_core.config import stages
from convnet_core.data import idx as idx_format
from convnet_core.networks import convnet


def idx() -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(range(196)) * 4


def idx_labels() -> bytes:
    """One-hot labels, which have two dimensions."""
    return bytes([0, 0, 13, 2, 0, 0, 0, 3, 0, 0, 0, 10]) + np.eye(10, dtype=">f4")[:3].tobytes()


def digits() -> bytes:
    return array(
        x_train=np.zeros((2, 28, 28), np.uint8), y_train=np.arange(2), x_test=np.zeros((1, 784)), y_test=np.zeros(1)
    )


@functools.cache
def bomb() -> list[bytes]:
    """A few hundred kB of gzip that expand to as many images as a header may claim."""
    count = idx_format.MAX_ITEMS
    head = bytes([0, 0, 8, 3]) + count.to_bytes(4, "big") + bytes([0, 0, 0, 28, 0, 0, 0, 28])
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(head)
        for _ in range(count // 10_000):
            file.write(bytes(7_840_000))
    return [buffer.getvalue()]


def picture(kind: str, mode: str = "L", size: tuple[int, int] = (9, 9)) -> bytes:
    buffer = io.BytesIO()
    image = Image.new("L", size, "white")
    image.paste("black", (3, 2, size[0] // 2, size[1] // 2 + 3))
    (image if mode == "L" else image.convert(mode)).save(buffer, kind)
    return buffer.getvalue()


@functools.cache
def pictures() -> list[bytes]:
    """Small files with many pixels, and unusual modes."""
    large = [picture("PNG", mode, (7000, 7000)) for mode in ("L", "RGBA", "P")]
    return [*large, picture("PNG", "I;16"), picture("PNG", "1", (1, 1)), picture("PNG", "LA", (20_000, 2))]


def array(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@functools.cache
def _zeros() -> tuple[bytes, int, int]:
    """600 MB of zeros, deflated; their size, and their CRC."""
    compressor, block, times = zlib.compressobj(wbits=-15), bytes(6_000_000), 100
    compressed = compressor.compress(block) + compressor.flush(zlib.Z_FULL_FLUSH)
    return (
        compressed * times + compressor.flush(),
        times * len(block),
        functools.reduce(lambda crc, _: zlib.crc32(block, crc), range(times), 0),
    )


def zip_bomb(name: str, beside: bytes = b"", claimed_size: int = 0) -> bytes:
    """An archive in which one member expands to 600 MB.

    `claimed_size`, if not 0, is the false size in the directory. Members of `beside`, another archive, are copied too.
    """
    buffer, (content, size, crc) = io.BytesIO(), _zeros()
    with zipfile.ZipFile(buffer, "w") as new:
        if beside:
            with zipfile.ZipFile(io.BytesIO(beside)) as old:
                for item in old.infolist():
                    if item.filename != name:
                        new.writestr(item.filename, old.read(item))
        new.writestr(name, content)
        # The directory is written on close; readers trust it.
        member = new.getinfo(name)
        member.compress_type = zipfile.ZIP_DEFLATED
        member.file_size, member.CRC = (claimed_size, zlib.crc32(bytes(claimed_size))) if claimed_size else (size, crc)
    return buffer.getvalue()


@functools.cache
def npz_bombs() -> list[bytes]:
    """Members that expand hugely, whether their directory admits it or not; and JSON that grows when parsed."""
    objects = np.frombuffer(b"[" + b"{}," * 15_000_000 + b"{}]", np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, lines=objects)
    names = ("x.npy", "lines.npy", "images.npy")
    return [*(zip_bomb(name, claimed_size=size) for name in names for size in (0, 1 << 16)), buffer.getvalue()]


@functools.cache
def pth_bombs() -> list[bytes]:
    """Bombs in a tensor and in a member that PyTorch always reads, and a file with two directories."""
    valid = pth(WEIGHTS)
    with zipfile.ZipFile(io.BytesIO(valid)) as file:
        names = [next(name for name in file.namelist() if name.endswith(end)) for end in ("/data/0", "/version")]
    bombs = [zip_bomb(name, valid) for name in names]
    return [*bombs, two_directories(bombs[0])]


def two_directories(archive: bytes) -> bytes:
    """An archive with a harmless directory after its own: zipfile reads the last one, PyTorch the one at the offset."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        start = file.start_dir
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as other:
            for item in file.infolist():
                other.writestr(item.filename, b"")
            harmless_start = other.start_dir
    end = archive[-22:]
    harmless = changed.getvalue()[harmless_start:-22]
    assert len(harmless) == len(archive) - 22 - start, "both must have the same length, or zipfile finds neither"
    return archive[:-22] + harmless + end


def one_array(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npzs() -> list[bytes]:
    """Archives without arrays, with unsupported arrays, or that expand too much."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x", b"not an array")
    return [buffer.getvalue(), array(x=np.array([{}], object)), array(x=np.float32(1)), array(), *npz_bombs()]


WEIGHTS = {"layer1.0.weight": torch.zeros(4, 1, 3, 3), "fc.bias": torch.zeros(10)}


def pth(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def pths() -> list[bytes]:
    """Weights that are not a network's; 30 bytes that allocate gigabytes; and archives that expand too much."""
    magic = [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03.", b"\x80\x02}."]
    odd = [
        {1: torch.zeros(1), "layer1.0.weight": torch.zeros(4, 1, 3, 3)},
        {name: value.to("meta") for name, value in convnet.build(stages.ModelConfig(channels=4)).state_dict().items()},
        {"layer1.0.weight": torch.zeros(4, 1, 3, 3).to_sparse()},
        {"layer1.0.weight": torch.zeros(4, 1, 3, 0)},
        {"layer1.0.weight": bytearray(5)},
    ]
    zipped = pth({"layer1.0.weight": torch.zeros(1)})
    files = []
    for size in (b"\x05\x00\x00\x00\x00\x02", b"\x04\x00\x00\x00\x40"):  # 8 GB, and 1 GB
        hungry = b"\x80\x02cbuiltins\nbytearray\n(\x8a" + size + b"tR."
        files += [b"".join([*magic, hungry]), hungry, with_pickle(zipped, hungry)]
    return [*files, *map(pth, odd), *pth_bombs()]


def with_pickle(archive: bytes, pickled: bytes) -> bytes:
    """A PyTorch file with its pickle replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, pickled if item.filename.endswith("data.pkl") else old.read(item))
    return buffer.getvalue()


def onnx_model() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 3], [0.0, 1, 2, 3, 4, 5])
    inner = helper.make_graph([helper.make_node("Relu", ["z"], ["t"])], "inner", [], [y])
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["z"], name="a", alpha=0.5, transB=1),
        helper.make_node("Constant", [], ["c"], value_ints=[1, 2]),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())


def onnxes() -> list[bytes]:
    """Types, names and attributes that onnx itself never writes."""
    files = []
    for change in range(4):
        model = onnx.load_from_string(onnx_model())
        attribute = model.graph.node[0].attribute[0]
        if change == 0:
            attribute.type = 0
        elif change == 1:
            model.graph.node[0].attribute.add(name="t", type=onnx.AttributeProto.TENSOR).t.dims.append(-(2**40))
        elif change == 2:
            model.graph.input[0].type.tensor_type.elem_type = 9999
        else:
            model.graph.initializer[0].data_type = TensorProto.STRING
        files.append(bytes(model.SerializeToString()))
    return [*files, onnx_model().replace(b"Gemm", b"\xff\xfe\xfd\xfc")]
