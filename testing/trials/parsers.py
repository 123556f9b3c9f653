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

from convnet_core.artifacts import artifact
from convnet_core.benchmark import results
from convnet_core.common.files import read_json
from convnet_core.compare import measurements_file, report_file
from convnet_core.compare.verdict import sentence
from convnet_core.config import stages as config
from convnet_core.config.fields import Config
from convnet_core.convert import node_map_file
from convnet_core.convert.signature import Port, Signature
from convnet_core.data import arrays, drawing, idx, mnist, strokes_cache
from convnet_core.dissect.report import content as dissection
from convnet_core.dissect.report import documents, worst_inputs_file
from convnet_core.errors import ConvNetError, ModelError
from convnet_core.graphs import from_onnx
from convnet_core.graphs.graph_file import FILE
from convnet_core.graphs.graph_file import read as read_graph
from convnet_core.jobs import watcher
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.jobs.watcher import JobView, list_jobs
from convnet_core.networks import convnet, weights
from convnet_core.onnx_files.model_file import open_untrusted
from convnet_core.runs import drawings
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import TensorInfo
from convnet_core.tensors.model_inputs import InputSpec, read_samples
from convnet_core.training import checkpoint, history
from testing.trials import examples, seeds

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


def _open_run(folder: Path) -> Run:
    """The run. Its records get new times, since a changed one may have the size and the time of the one before."""
    for record in folder.rglob("stage.json"):
        os.utime(record, ns=(time.time_ns(),) * 2)
    return Run.open(folder)


def _run(path: Path) -> object:
    run = _open_run(path.parent)
    return run.info, run.is_model, run.stages


def _stage(path: Path) -> object:
    run = _open_run(path.parent.parent)
    states = run.state("export"), run.stages, run.stale_stages("compare")
    return (
        run.record("export"),
        run.require("export"),
        states,
        artifact.artifacts(run),
        artifact.find(run, "model.onnx"),
    )


def _checkpoint(path: Path) -> object:
    run = _open_run(path.parent.parent)
    return checkpoint.saved_config(run), history.read_history(run)


def _job(path: Path) -> object:
    view = JobView(path.parent)
    run = Run(path.parent.parent.parent)
    return view.info.live, [item.info for item in list_jobs(run)], watcher.current(run), watcher.newest(run, "train")


def _events(path: Path) -> object:
    view = JobView(path.parent)
    progress = JobProgress(view)
    progress.update()
    return view.events(), progress.current_stage, [float(item.loss) for item in progress.metrics]


def _report(path: Path) -> object:
    found = report_file.load(_open_run(path.parent.parent))
    return sentence(found)


_SIGNATURE = dataclasses.asdict(Signature((Port("x", "x", "float32", (None, 2)),), ()))


def _graph(path: Path) -> object:
    graph = read_graph(path)
    edges = [edge for tensor in graph.tensors.values() if tensor.statistics for edge in tensor.statistics.edges]
    return [graph.path(edge) for edge in graph.edges], graph.find("a"), graph.to_json(), edges


def _benchmark(path: Path) -> object:
    benchmark = results.load(_open_run(path.parent.parent))
    return results.headline(benchmark), results.rows(benchmark), results.where_and_how(benchmark)


def _dissection(path: Path) -> object:
    report = documents.load(_open_run(path.parent.parent))
    return documents.to_html(report), documents.to_markdown(report), dissection.summary(report)


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
        lambda path: drawings.load_images(run := _open_run(path.parent.parent), drawings.list_drawings(run)),
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
        lambda path: worst_inputs_file.load(_open_run(path.parent.parent)),
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
    Parser("graph.json", FILE, _json(examples.GRAPH), _graph),
    Parser("run.json", "run.json", lambda: _RUN, _run),
    Parser("stage.json", "export/stage.json", _json(examples.STAGE), _stage, _BESIDE_EXPORT),
    Parser(
        "checkpoint's stage.json",
        "checkpoint/stage.json",
        _json({**examples.STAGE, "result": {"epoch": 1, "batch": 2, "seconds": 0.5}}),
        _checkpoint,
        {**_BESIDE_EXPORT, "checkpoint/history.json": _json(examples.HISTORY)()},
    ),
    Parser(
        "checkpoint's history.json",
        "checkpoint/history.json",
        _json(examples.HISTORY),
        _checkpoint,
        {**_BESIDE_EXPORT, "checkpoint/stage.json": _json(examples.STAGE)()},
    ),
    Parser(
        "metrics.json",
        "train/metrics.json",
        _json(examples.METRICS),
        lambda path: history.read_report(_open_run(path.parent.parent)),
        {"run.json": _RUN},
    ),
    Parser("job.json", "jobs/j/job.json", _json(examples.JOB), _job, {"run.json": _RUN}),
    Parser(
        "events.jsonl",
        "jobs/j/events.jsonl",
        lambda: b"".join(json.dumps({"time": 1.0, **item.to_json()}).encode() + b"\n" for item in examples.EVENTS),
        _events,
        {"run.json": _RUN},
    ),
    Parser("report.json", "compare/report.json", _json(examples.REPORT), _report, _BESIDE_EXPORT),
    Parser(
        "benchmark.json",
        "benchmark/benchmark.json",
        _json(examples.BENCHMARK),
        _benchmark,
        {**_BESIDE_EXPORT, "benchmark/stage.json": _json({**examples.STAGE, "stage": "benchmark"})()},
    ),
    Parser("dissection.json", "dissect/dissection.json", _json(examples.DISSECTION), _dissection, _BESIDE_EXPORT),
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
