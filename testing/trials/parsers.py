"""Every parser of ours that reads files from outside, each with a small valid example.

`parse` gets the path of a file in its usual location and does with it what the product does. It must return a result or
raise a ConvNetError; any other exception is a fault.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save

from convnet_core.common.files import read_json
from convnet_core.compare import measurements_file
from convnet_core.config import stages as config
from convnet_core.config.fields import Config
from convnet_core.convert import node_map_file
from convnet_core.convert.signature import Port, Signature
from convnet_core.data import arrays, drawing, idx, mnist, strokes_cache
from convnet_core.dissect.report import worst_inputs_file
from convnet_core.errors import ConvNetError, ModelError
from convnet_core.graphs import from_onnx
from convnet_core.graphs.graph_file import FILE
from convnet_core.networks import convnet, weights
from convnet_core.onnx_files.model_file import open_untrusted
from convnet_core.runs import drawings
from convnet_core.tensors.arrays import TensorInfo
from convnet_core.tensors.model_inputs import InputSpec, read_samples
from convnet_core.training import history
from testing.trials import examples, run_files, seeds

INPUTS = [TensorInfo("x", "float32", (None, 1, 2, 2))]


@dataclass(frozen=True)
class Parser:
    """A parser to try.

    `file` is the file's path in its folder; `around` are other files the parser needs there; `nasty` are hostile inputs
    that small changes to the seed would not produce.
    """

    name: str
    file: str
    seed: Callable[[], bytes]
    parse: Callable[[Path], object]
    around: Mapping[str, bytes] = field(default_factory=dict)
    nasty: Callable[[], list[bytes]] = list

    @property
    def is_json(self) -> bool:
        """Whether the file is JSON or JSON lines."""
        return self.file.endswith((".json", ".jsonl"))


def _json(value: Any) -> Callable[[], bytes]:
    return lambda: json.dumps(value).encode()


def _weights(path: Path) -> object:
    state = weights.read_weights(path)
    with contextlib.suppress(ModelError):  # the seed has only some of a network's weights, to stay small
        convnet.from_weights(state, path.name)
    return state


def _images(path: Path) -> object:
    return arrays.images(idx.read_idx(path), path.name, [])


def _upload(path: Path) -> object:
    return json.dumps(from_onnx.read(open_untrusted(path).model).to_json())


# -- documents -----------------------------------------------------------------------------------------


def _config(kind: type[Config], value: Config) -> Parser:
    def parse(path: Path) -> object:
        try:
            content = read_json(path)
        except ValueError as error:
            raise ConvNetError(str(error)) from error  # as the code that reads records does
        return kind.from_json(content).to_json()

    return Parser(f"config {kind.__name__}", "config.json", _json(value.to_json()), parse)


_RUN = _json({"kind": "model", "title": "a run", "created": "2026-01-01T00:00:00.000+00:00"})()


_SIGNATURE = dataclasses.asdict(Signature((Port("x", "x", "float32", (None, 2)),), ()))


_BESIDE_EXPORT = {"run.json": _RUN}
_DRAWING = f"{drawings.FOLDER}/3-{'0' * 12}.png"

PARSERS = (
    Parser("IDX", "images", seeds.idx, _images),
    Parser(
        "IDX, gzip",
        "images.gz",
        lambda: gzip.compress(seeds.idx(), mtime=0),
        _images,
        nasty=seeds.bomb,
    ),
    Parser("IDX, labels", "labels", seeds.idx_labels, lambda path: arrays.labels(idx.read_idx(path), path.name, [])),
    Parser("digits .npz", "mnist.npz", seeds.digits, mnist.read_path, nasty=seeds.npzs),
    Parser(
        "a folder's count of images",
        "train-images-idx3-ubyte.gz",
        lambda: gzip.compress(seeds.idx(), mtime=0),
        lambda path: mnist.train_count(path.parent),
        nasty=seeds.bomb,
    ),
    *(
        Parser(
            f"image, {kind}",
            f"image.{kind.lower()}",
            functools.partial(seeds.picture, kind, "P" if kind == "GIF" else "RGB"),
            drawing.prepare_file,
            nasty=seeds.pictures if kind == "PNG" else list,
        )
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF")
    ),
    Parser(
        "kept drawings",
        _DRAWING,
        lambda: seeds.picture("PNG"),
        lambda path: drawings.load_images(run := run_files.open_run(path.parent.parent), drawings.list_drawings(run)),
        {"run.json": _RUN},
    ),
    Parser("weights .safetensors", "w.safetensors", lambda: bytes(save(seeds.WEIGHTS)), _weights),
    Parser(
        "weights .pth",
        "w.pth",
        lambda: seeds.pth(seeds.WEIGHTS),
        _weights,
        nasty=seeds.pths,
    ),
    Parser("ONNX upload", "m.onnx", seeds.onnx_model, _upload, nasty=seeds.onnxes),
    Parser("ONNX upload with functions", "m.onnx", examples.with_functions, _upload),
    Parser(
        "samples .npz",
        "s.npz",
        lambda: seeds.array(x=np.zeros((2, 1, 2, 2), np.float32)),
        lambda path: read_samples(path, INPUTS),
        nasty=seeds.npzs,
    ),
    Parser(
        "samples .npy",
        "s.npy",
        lambda: seeds.one_array(np.zeros((2, 1, 2, 2), np.float32)),
        lambda path: InputSpec(files={"x": str(path)}).samples(INPUTS, 2, 0),
    ),
    Parser(
        "worst inputs .npz",
        "dissect/worst_inputs.npz",
        lambda: seeds.array(**{"tensorflow/x": np.zeros((1, 1, 2, 2), np.float32)}),
        lambda path: worst_inputs_file.load(run_files.open_run(path.parent.parent)),
        {"run.json": _RUN},
        seeds.npzs,
    ),
    Parser(
        "measurements .npz",
        "m.npz",
        lambda: seeds.array(lines=np.frombuffer(b"[]", np.uint8)),
        measurements_file.load,
        nasty=seeds.npzs,
    ),
    _config(config.TrainConfig, config.TrainConfig()),
    _config(config.CompareConfig, config.CompareConfig()),
    Parser("graph.json", FILE, _json(examples.GRAPH), run_files.read_graph_file),
    Parser("run.json", "run.json", lambda: _RUN, run_files.read_run),
    Parser("stage.json", "export/stage.json", _json(examples.STAGE), run_files.read_stage, _BESIDE_EXPORT),
    Parser(
        "checkpoint's stage.json",
        "checkpoint/stage.json",
        _json({**examples.STAGE, "result": {"epoch": 1, "batch": 2, "seconds": 0.5}}),
        run_files.read_checkpoint,
        {**_BESIDE_EXPORT, "checkpoint/history.json": _json(examples.HISTORY)()},
    ),
    Parser(
        "checkpoint's history.json",
        "checkpoint/history.json",
        _json(examples.HISTORY),
        run_files.read_checkpoint,
        {**_BESIDE_EXPORT, "checkpoint/stage.json": _json(examples.STAGE)()},
    ),
    Parser(
        "metrics.json",
        "train/metrics.json",
        _json(examples.METRICS),
        lambda path: history.read_report(run_files.open_run(path.parent.parent)),
        {"run.json": _RUN},
    ),
    Parser("job.json", "jobs/j/job.json", _json(examples.JOB), run_files.read_job, {"run.json": _RUN}),
    Parser(
        "events.jsonl",
        "jobs/j/events.jsonl",
        lambda: b"".join(json.dumps({"time": 1.0, **item.to_json()}).encode() + b"\n" for item in examples.EVENTS),
        run_files.read_events,
        {"run.json": _RUN},
    ),
    Parser("report.json", "compare/report.json", _json(examples.REPORT), run_files.read_comparison, _BESIDE_EXPORT),
    Parser(
        "benchmark.json",
        "benchmark/benchmark.json",
        _json(examples.BENCHMARK),
        run_files.read_benchmark,
        {**_BESIDE_EXPORT, "benchmark/stage.json": _json({**examples.STAGE, "stage": "benchmark"})()},
    ),
    Parser(
        "dissection.json",
        "dissect/dissection.json",
        _json(examples.DISSECTION),
        run_files.read_dissection,
        _BESIDE_EXPORT,
    ),
    Parser("nodes.json", "nodes.json", _json(examples.NODES), lambda path: node_map_file.read(path.parent)),
    Parser(
        "the cache of drawn digits",
        "two.npz",
        lambda: seeds.array(images=np.zeros((2, 28, 28), np.uint8), labels=np.arange(2, dtype=np.uint8)),
        lambda path: strokes_cache.read_cache(path, 2),
        nasty=seeds.npzs,
    ),
    Parser("signature.json", "signature.json", _json(_SIGNATURE), lambda path: Signature.load(path.parent).inputs[:1]),
)


def _fails_on_change(fail: Callable[[bytes], object]) -> Callable[[Path], object]:
    """A parser that fails on everything except its seed."""
    return lambda path: fail(content) if (content := path.read_bytes()) != b"{}" else None


BROKEN = (
    Parser("raises", "a.txt", lambda: b"{}", _fails_on_change(lambda content: {b"": 0}[content])),
    Parser("crashes", "a.txt", lambda: b"{}", _fails_on_change(lambda _: os.kill(os.getpid(), signal.SIGSEGV))),
    Parser(
        "hangs", "a.txt", lambda: b"{}", _fails_on_change(lambda content: time.sleep(60) if content == b"{" else None)
    ),
    Parser("eats", "a.txt", lambda: b"{}", _fails_on_change(lambda content: len(content[:1] * (600 << 20)))),
    Parser("works", "a.txt", lambda: b"{}", Path.read_bytes),
)
"""Parsers with every fault that the trial must detect, to test the trial itself."""
