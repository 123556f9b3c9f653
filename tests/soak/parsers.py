"""Everything of ours that reads a file or a text which somebody else may have made, each with a small valid example.

`parse` gets the path of a file that lies where such a file would lie, and does with it what the product does. It gives
a result, or raises a ConvNetError; anything else that comes out of it is a fault.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import io
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors.torch import save

from convnet_core import artefacts, benchmark, cases, checkpoint, config, events, history, jobs, measurements, model
from convnet_core import report as comparison
from convnet_core.convert.names import Port, Signature
from convnet_core.data import drawing, mnist
from convnet_core.dissect import documents
from convnet_core.dissect import report as dissection
from convnet_core.errors import ConvNetError, ModelError
from convnet_core.files import read_json
from convnet_core.given import Given, read_samples
from convnet_core.graphs import FILE, from_onnx
from convnet_core.graphs import read as read_graph
from convnet_core.onnx_model import load_alone
from convnet_core.runs import Run
from convnet_core.settings import Config
from convnet_core.tensors import TensorInfo

INPUTS = [TensorInfo("x", "float32", (None, 1, 2, 2))]
_DIGEST = "0" * 64


@dataclass(frozen=True)
class Parser:
    """`file` is where the file lies in its folder; `around` are files that have to lie beside it. `nasty` are inputs
    that no small change of the seed leads to.
    """

    name: str
    file: str
    seed: Callable[[], bytes]
    parse: Callable[[Path], object]
    around: Mapping[str, bytes] = field(default_factory=dict)
    nasty: Callable[[], list[bytes]] = list

    @property
    def is_json(self) -> bool:
        """Whether one JSON document is all that the file holds."""
        return self.file.endswith((".json", ".jsonl"))


def _json(value: Any) -> Callable[[], bytes]:
    return lambda: json.dumps(value).encode()


# -- arrays, images, weights, models -----------------------------------------------------------------


def _idx() -> bytes:
    return bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(range(196)) * 4


@functools.cache
def _bomb() -> list[bytes]:
    """A few hundred kB of gzip that become as many images as a header may claim."""
    count = mnist._MOST_IMAGES
    head = bytes([0, 0, 8, 3]) + count.to_bytes(4, "big") + bytes([0, 0, 0, 28, 0, 0, 0, 28])
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1, mtime=0) as file:
        file.write(head)
        for _ in range(count // 10_000):
            file.write(bytes(7_840_000))
    return [made.getvalue()]


def _picture(kind: str, mode: str = "L", size: tuple[int, int] = (9, 9)) -> bytes:
    made = io.BytesIO()
    image = Image.new("L", size, "white")
    image.paste("black", (3, 2, size[0] // 2, size[1] // 2 + 3))
    (image if mode == "L" else image.convert(mode)).save(made, kind)
    return made.getvalue()


@functools.cache
def _pictures() -> list[bytes]:
    """Few bytes and many pixels, and modes of their own."""
    large = [_picture("PNG", mode, (7000, 7000)) for mode in ("L", "RGBA", "P")]
    return [*large, _picture("PNG", "I;16"), _picture("PNG", "1", (1, 1)), _picture("PNG", "LA", (20_000, 2))]


def _array(**arrays: Any) -> bytes:
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def _one_array(array: Any) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


def _zip_without_arrays() -> list[bytes]:
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("x", b"no array")
    return [made.getvalue(), _array(x=np.array([{}], object)), _array(x=np.float32(1)), _array()]


_WEIGHTS = {"layer1.0.weight": torch.zeros(4, 1, 3, 3), "fc.bias": torch.zeros(10)}


def _pth(value: Any) -> bytes:
    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


def _pths() -> list[bytes]:
    """Weights of other kinds than a network's; and 30 bytes that ask for gigabytes."""
    magic = [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03.", b"\x80\x02}."]
    odd = [
        {1: torch.zeros(1), "layer1.0.weight": torch.zeros(4, 1, 3, 3)},
        {name: value.to("meta") for name, value in model.build(config.ModelConfig(channels=4)).state_dict().items()},
        {"layer1.0.weight": torch.zeros(4, 1, 3, 3).to_sparse()},
        {"layer1.0.weight": torch.zeros(4, 1, 3, 0)},
        {"layer1.0.weight": bytearray(5)},
    ]
    zipped = _pth({"layer1.0.weight": torch.zeros(1)})
    made = []
    for size in (b"\x05\x00\x00\x00\x00\x02", b"\x04\x00\x00\x00\x40"):  # 8 GB, and 1 GB
        hungry = b"\x80\x02cbuiltins\nbytearray\n(\x8a" + size + b"tR."
        made += [b"".join([*magic, hungry]), hungry, _swapped(zipped, hungry)]
    return [*made, *map(_pth, odd)]


def _swapped(archive: bytes, pickled: bytes) -> bytes:
    """A PyTorch file with another pickle in it."""
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        for item in old.infolist():
            new.writestr(item.filename, pickled if item.filename.endswith("data.pkl") else old.read(item))
    return made.getvalue()


def _weights(path: Path) -> object:
    found = model.read_weights(path)
    with contextlib.suppress(ModelError):  # the seed is a part of a network: small enough to cut at every byte
        model.from_weights(found, path.name)
    return found


def _onnx() -> bytes:
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


def _onnxes() -> list[bytes]:
    """Types, names and attributes that onnx itself does not make."""
    made = []
    for change in range(4):
        found = onnx.load_from_string(_onnx())
        attribute = found.graph.node[0].attribute[0]
        if change == 0:
            attribute.type = 0
        elif change == 1:
            found.graph.node[0].attribute.add(name="t", type=onnx.AttributeProto.TENSOR).t.dims.append(-(2**40))
        elif change == 2:
            found.graph.input[0].type.tensor_type.elem_type = 9999
        else:
            found.graph.initializer[0].data_type = TensorProto.STRING
        made.append(bytes(found.SerializeToString()))
    return [*made, _onnx().replace(b"Gemm", b"\xff\xfe\xfd\xfc")]


# -- documents -----------------------------------------------------------------------------------------


def _config(kind: type[Config], value: Config) -> Parser:
    def parse(path: Path) -> object:
        try:
            content = read_json(path)
        except ValueError as error:
            raise ConvNetError(str(error)) from error  # whoever reads a record does it like this
        return kind.from_json(content).to_json()

    return Parser(f"config {kind.__name__}", "config.json", _json(value.to_json()), parse)


_RUN = _json({"kind": "model", "title": "a run", "created": "2026-01-01T00:00:00.000+00:00"})()
_STAGE = {
    "stage": "export",
    "created": "2026-01-01T00:00:00.000+00:00",
    "seconds": 1.5,
    "config": config.TrainConfig().to_json(),
    "result": {"history": []},
    "inputs": {"train/model.safetensors": _DIGEST, "data": _DIGEST},
    "outputs": {"model.onnx": {"sha256": _DIGEST, "bytes": 3, "mtime_ns": 1}},
    "versions": {"torch": "2"},
}


def _run(path: Path) -> object:
    run = Run.open(path.parent)
    return run.info, run.is_model, run.stages


def _stage(path: Path) -> object:
    run = Run.open(path.parent.parent)
    states = run.state("export"), run.stages, run.stale_stages("compare")
    return run.record("export"), run.need("export"), states, artefacts.artefacts(run), artefacts.find(run, "model.onnx")


def _checkpoint(path: Path) -> object:
    run = Run.open(path.parent.parent)
    return checkpoint.saved_config(run), history.history(run)


_JOB = {"id": "j", "command": "train", "state": "running", "started": "2026-01-01T00:00:00+00:00", "pid": 1}
_EVENTS = (
    events.StageStarted(stage="train"),
    events.Progress(label="reading", done=1, total=2),
    events.Metrics(
        epoch=1, step=1, total_steps=2, loss=0.5, accuracy=0.5, learning_rate=0.1, images_per_second=9, seconds_left=1
    ),
    events.StageDone(stage="train", seconds=1.0),
    events.Message(text="done"),
)


def _job(path: Path) -> object:
    view = jobs.JobView(path.parent)
    run = Run(path.parent.parent.parent)
    return view.info.live, [item.info for item in jobs.list_jobs(run)], jobs.current(run), jobs.newest(run, "train")


def _events(path: Path) -> object:
    view = jobs.JobView(path.parent)
    following = jobs.Following(view)
    following.update()
    return view.events(), following.at, [float(item.loss) for item in following.metrics]


def _report(path: Path) -> object:
    found = comparison.load(Run.open(path.parent.parent))
    return [dict(line) for line in found["runtimes"]]


_SIGNATURE = dataclasses.asdict(Signature((Port("x", "x", "float32", (None, 2)),), ()))
_GRAPH = {
    "format": "onnx",
    "name": "g",
    "properties": {"opset": "18"},
    "nodes": [
        {"id": "a", "name": "a", "op": "Relu", "version": 14, "attributes": {}, "inputs": ["x"], "outputs": ["y"]},
        {"id": "x", "name": "x", "op": "Input", "kind": "input", "outputs": ["x"], "x": 1.0, "y": 2.0},
    ],
    "edges": [{"source": "x", "target": "a", "tensor": "x", "bends": [[1.0, 2.0]]}],
    "tensors": [
        {"name": "x", "dtype": "float32", "shape": ["batch", None, 2], "kind": "input", "statistics": None},
        {
            "name": "w",
            "shape": [2],
            "statistics": {
                "count": 2,
                "not_finite": 0,
                "min": 0.0,
                "max": 1.0,
                "mean": 0.5,
                "std": 0.5,
                "zeros": 0.5,
                "counts": [1, 1],
                "low": 0.0,
                "high": 1.0,
            },
        },
    ],
}


def _graph(path: Path) -> object:
    graph = read_graph(path)
    edges = [edge for tensor in graph.tensors.values() if tensor.statistics for edge in tensor.statistics.edges]
    return [graph.way(edge) for edge in graph.edges], graph.find("a"), graph.to_json(), edges


_RUNTIME = {
    "name": "litert",
    "converter": "native",
    "bytes": 3,
    "timings": [{"batch": 1, "calls": 2, "median_ms": 1.0}],
}
_BENCHMARK = {
    "created": "2026-01-01",
    "machine": {"cpu": "c", "cores": 2, "system": "Linux"},
    "versions": {"torch": "2"},
    "config": config.BenchmarkConfig().to_json(),
    "runtimes": [_RUNTIME],
}


def _benchmark(path: Path) -> object:
    found = benchmark.load(Run.open(path.parent.parent))
    return benchmark.headline(found), benchmark.rows(found), benchmark.where_and_how(found)


_SEEN = {"whole": {"relative": 0.1, "absolute": 0.1}, "own": 0.1, "multiple": 2.0}
_DISSECTION = {
    "title": "t",
    "config": {"lesson": "none", "converter": "native"},
    "runtimes": ["onnxruntime", "tensorflow"],
    "findings": [{"kind": "k", "text": "wrong", "mend": "do", "node": "a", "runtimes": ["tensorflow"]}],
    "nodes": [
        {"name": "a", "op": "Conv", "noise": 0.1, "runtimes": {"tensorflow": _SEEN}, "shape_differs": {"litert": [1]}}
    ],
    "entries": [{"name": "a", "op_type": "Conv", "became": "ops", "ops": [{"type": "Conv2D", "name": "o"}]}],
    "litert": [{"type": "CONV_2D", "nodes": ["a"]}],
    "weights": [
        {
            "name": "w",
            "node": "a",
            "shape": [1],
            "there": [1],
            "place": {"perm": [0], "split": []},
            "error": "inf",
        }
    ],
    "fusions": {
        "formula": "f",
        "nodes": [{"node": "a", "epsilon": 0.1, "channel": {"γ": 1.0}, "error": 0.0}],
    },
    "transposes": [{"node": "a", "op": "T", "what": "layout"}],
    "labels": {"tensorflow": {"agree": 1, "closest": []}},
    "sweep": [{"runtime": "tensorflow", "batch": 1, "fault": "", "shape": [1]}],
    "worst": [{"runtime": "tensorflow", "before": 0.1, "found": 0.2}],
}


def _dissection(path: Path) -> object:
    content = documents.load(Run.open(path.parent.parent))
    return documents.to_html(content), documents.to_markdown(content), dissection.summary(content)


_BESIDE_EXPORT = {"run.json": _RUN}
_DRAWING = f"{cases.FOLDER}/3-{'0' * 12}.png"

PARSERS = (
    Parser("IDX", "images", _idx, lambda path: mnist.read_idx(path, (28, 28))),
    Parser(
        "IDX, gzip",
        "images.gz",
        lambda: gzip.compress(_idx(), mtime=0),
        lambda path: mnist.read_idx(path, (28, 28)),
        nasty=_bomb,
    ),
    *(
        Parser(
            f"image, {kind}",
            f"image.{kind.lower()}",
            lambda kind=kind: _picture(kind, "P" if kind == "GIF" else "RGB"),
            lambda path: drawing.prepare(drawing.read_image(path)),
            nasty=_pictures if kind == "PNG" else list,
        )
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF")
    ),
    Parser(
        "kept drawings",
        _DRAWING,
        lambda: _picture("PNG"),
        lambda path: cases.load(run := Run.open(path.parent.parent), cases.cases(run)),
        {"run.json": _RUN},
    ),
    Parser("weights .safetensors", "w.safetensors", lambda: bytes(save(_WEIGHTS)), _weights),
    Parser("weights .pth", "w.pth", lambda: _pth(_WEIGHTS), _weights, nasty=_pths),
    Parser(
        "ONNX upload",
        "m.onnx",
        _onnx,
        lambda path: json.dumps(from_onnx.read(load_alone(path)).to_json()),
        nasty=_onnxes,
    ),
    Parser(
        "samples .npz",
        "s.npz",
        lambda: _array(x=np.zeros((2, 1, 2, 2), np.float32)),
        lambda path: read_samples(path, INPUTS),
        nasty=_zip_without_arrays,
    ),
    Parser(
        "samples .npy",
        "s.npy",
        lambda: _one_array(np.zeros((2, 1, 2, 2), np.float32)),
        lambda path: Given(files={"x": str(path)}).samples(INPUTS, 2, 0),
    ),
    Parser(
        "measurements .npz",
        "m.npz",
        lambda: _array(lines=np.frombuffer(b"[]", np.uint8)),
        measurements.load,
        nasty=_zip_without_arrays,
    ),
    _config(config.TrainConfig, config.TrainConfig()),
    _config(config.CompareConfig, config.CompareConfig()),
    Parser("graph.json", FILE, _json(_GRAPH), _graph),
    Parser("run.json", "run.json", lambda: _RUN, _run),
    Parser("stage.json", "export/stage.json", _json(_STAGE), _stage, _BESIDE_EXPORT),
    Parser(
        "checkpoint's stage.json",
        "checkpoint/stage.json",
        _json({**_STAGE, "result": {"history": [dataclasses.asdict(_EVENTS[2])]}}),
        _checkpoint,
        _BESIDE_EXPORT,
    ),
    Parser("job.json", "jobs/j/job.json", _json(_JOB), _job, {"run.json": _RUN}),
    Parser(
        "events.jsonl",
        "jobs/j/events.jsonl",
        lambda: b"".join(json.dumps({"time": 1.0, **item.to_json()}).encode() + b"\n" for item in _EVENTS),
        _events,
        {"run.json": _RUN},
    ),
    Parser("report.json", "compare/report.json", _json({"runtimes": [{"name": "a"}]}), _report, _BESIDE_EXPORT),
    Parser(
        "benchmark.json",
        "benchmark/benchmark.json",
        _json(_BENCHMARK),
        _benchmark,
        {**_BESIDE_EXPORT, "benchmark/stage.json": _json({**_STAGE, "stage": "benchmark"})()},
    ),
    Parser("dissection.json", "dissect/dissection.json", _json(_DISSECTION), _dissection, _BESIDE_EXPORT),
    Parser("signature.json", "signature.json", _json(_SIGNATURE), lambda path: Signature.load(path.parent).inputs[:1]),
)


def _breaks(how: Callable[[bytes], object]) -> Callable[[Path], object]:
    """A parser that goes wrong on everything but its seed."""
    return lambda path: how(content) if (content := path.read_bytes()) != b"{}" else None


BROKEN = (
    Parser("raises", "a.txt", lambda: b"{}", _breaks(lambda content: {}[content])),
    Parser("crashes", "a.txt", lambda: b"{}", _breaks(lambda _: os.kill(os.getpid(), signal.SIGSEGV))),
    Parser("hangs", "a.txt", lambda: b"{}", _breaks(lambda content: time.sleep(60) if content == b"{" else None)),
    Parser("eats", "a.txt", lambda: b"{}", _breaks(lambda content: len(content[:1] * (600 << 20)))),
    Parser("works", "a.txt", lambda: b"{}", Path.read_bytes),
)
"""Parsers with every fault that the trial must see, for the test of the trial itself."""
