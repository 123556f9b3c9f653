"""The runtimes of a run: which there are, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from convnet_core.common.files import size_of
from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.convert import FROZEN, SAVED_MODEL, TFLITE
from convnet_core.errors import RunError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runtimes.base import OPTIMIZED, Runtime


@dataclass(frozen=True)
class Source:
    """A runtime that can be opened: its name, unique in the run, the converter behind it, and the files that it reads.

    `files` are paths inside the run, `bytes` is their size together; `import_library` imports
    what opening it needs, as opening would.
    """

    name: str
    converter: str | None
    files: tuple[str, ...]
    bytes: int
    import_library: Callable[[], object]
    open: Callable[[], Runtime]


def sources(run: Run, threads: int = 1) -> list[Source]:
    """The runtimes whose artefacts are in the run, PyTorch first. Opening one imports its library.

    Raises RunError where a file that a stage wrote is gone.
    """
    _check_artefacts(run)
    found = []
    weights, onnx = "export/model.safetensors", "export/model.onnx"
    if (run.path / weights).is_file():

        def pytorch() -> Runtime:
            from convnet_core.runtimes.pytorch import PyTorch

            return PyTorch(run.path / weights, threads)

        found.append(
            Source("pytorch", None, (weights,), size_of(run.path / weights), partial(import_module, "torch"), pytorch)
        )
    if (run.path / onnx).is_file():
        found += [_onnxruntime(run, run.path / onnx, threads, optimized=optimized) for optimized in (False, True)]
    for stage in CONVERT_STAGES:
        if run.record(stage) is not None:
            found += _converted(run, stage, threads)
    return found


def _onnxruntime(run: Run, path: Path, threads: int, *, optimized: bool) -> Source:
    """ONNX Runtime twice: as the file says, which is the reference, and as people deploy it."""

    def opened() -> Runtime:
        from convnet_core.runtimes.onnxruntime import OnnxRuntime

        return OnnxRuntime(path, threads, optimized=optimized)

    return Source(
        OPTIMIZED if optimized else "onnxruntime",
        None,
        run.model_files,
        sum(size_of(run.path / file) for file in run.model_files),
        partial(import_module, "onnxruntime"),
        opened,
    )


def _check_artefacts(run: Run) -> None:
    for stage in ("export", *CONVERT_STAGES):
        record = run.record(stage)
        for name in record.outputs if record else ():
            path = run.path / stage / name
            if not path.is_file():
                raise RunError(f"{path} is gone", run.command_for(stage))


def _converted(run: Run, stage: str, threads: int) -> list[Source]:
    folder, converter = run.path / stage, stage.removeprefix("convert/")

    def saved_model() -> Runtime:
        from convnet_core.runtimes.tensorflow import TensorFlowSavedModel

        return TensorFlowSavedModel(folder / SAVED_MODEL, converter)

    def frozen() -> Runtime:
        from convnet_core.runtimes.tensorflow import TensorFlowFrozen

        return TensorFlowFrozen(folder / FROZEN, converter, threads)

    def litert(kind: str) -> Callable[[], Runtime]:
        def opened() -> Runtime:
            from convnet_core.runtimes.litert import LiteRT

            return LiteRT(folder / TFLITE[kind], f"litert-{kind}", converter, threads)

        return opened

    import_litert = partial(import_module, "ai_edge_litert.interpreter")
    artefacts: list[tuple[str, str, Callable[[], object], Callable[[], Runtime]]] = [
        ("tensorflow", SAVED_MODEL, import_tensorflow, saved_model),
        ("tensorflow-frozen", FROZEN, import_tensorflow, frozen),
        *((f"litert-{kind}", file, import_litert, litert(kind)) for kind, file in TFLITE.items()),
    ]
    prefix = _prefix(stage)
    return [
        Source(
            f"{prefix}{name}",
            converter,
            _files(run, f"{stage}/{file}"),
            size_of(folder / file),
            library,
            partial(_named, f"{prefix}{name}", opened),
        )
        for name, file, library, opened in artefacts
        if (folder / file).exists()  # TFLite cannot express every model; `_check_artefacts` has missed no other
    ]


def not_made(run: Run) -> list[str]:
    """The runtimes whose artefacts a converter could not make."""
    names = {FROZEN: "tensorflow-frozen", **{file: f"litert-{kind}" for kind, file in TFLITE.items()}}
    records = [(stage, run.record(stage)) for stage in CONVERT_STAGES]
    return [
        f"{_prefix(stage)}{names[file]}"
        for stage, record in records
        for file in (record.result.get("failed", {}) if record else {})
    ]


def _prefix(stage: str) -> str:
    """What tells the runtimes of a converter other than the pipeline's from those of the pipeline's."""
    return "" if stage == CONVERT_STAGES[0] else f"{stage.removeprefix('convert/')}/"


def _named(name: str, opened: Callable[[], Runtime]) -> Runtime:
    """A runtime under the name that is unique in its run."""
    runtime = opened()
    runtime.name = name
    return runtime


def _files(run: Run, artefact: str) -> tuple[str, ...]:
    path = run.path / artefact
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return tuple(file.relative_to(run.path).as_posix() for file in found)
