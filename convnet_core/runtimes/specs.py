"""The table of runtimes, the only place that describes them.

To add a runtime, write its adapter (a `Runtime` in a file next to this one) and one `RuntimeSpec` in `SPECS`. Light:
nothing here imports a runtime's library.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.targets import table
from convnet_core.language import N_
from convnet_core.runs.stage_record import versions

if TYPE_CHECKING:
    from convnet_core.runtimes.base import Runtime

Precision = Literal["float32", "float16", "int8"]
Open = Callable[[Path, str | None, int], "Runtime"]
"""Opens a file: its path, the converter that wrote it (None for an export), and how many threads to run on."""


@dataclass(frozen=True, kw_only=True)
class RuntimeSpec:
    """One runtime.

    `precision` decides the tolerance: float32 is judged by its values, the others by their labels. `color` (RGB, as
    #rrggbb) and `symbol` (Plotly's name) mark it in charts. `distribution` is the PyPI package that it needs, and
    `import_library` imports it, which takes about `import_seconds` on two cores. `file` is what it reads, in the
    export or in each conversion. `registry.sources` sets the name of an open runtime.
    """

    name: str
    title: str
    precision: Precision = "float32"
    color: str
    symbol: str
    distribution: str
    import_library: Callable[[], object]
    import_seconds: float
    stage: Literal["export", "convert"]
    file: str
    open: Open
    extra: str = ""
    """The extra in pyproject.toml that installs its library; empty if the default installation includes it. An optional
    runtime whose library is missing is not used."""
    own_int8_kernels: bool = False
    """Whether it computes quantized parts of a model with its own int8 kernels, which round at other places."""

    @property
    def version(self) -> str | None:
        """The installed version of its library; None if it is not installed. Imports nothing."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None


def _open_pytorch(path: Path, converter: str | None, threads: int) -> Runtime:
    from convnet_core.runtimes.pytorch import PyTorch

    return PyTorch(path, threads)


def _open_onnxruntime(path: Path, converter: str | None, threads: int, *, optimized: bool = False) -> Runtime:
    from convnet_core.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads, optimized=optimized)


def _open_saved_model(path: Path, converter: str | None, threads: int) -> Runtime:
    from convnet_core.runtimes.tensorflow import TensorFlowSavedModel

    return TensorFlowSavedModel(path, converter)


def _open_frozen_graph(path: Path, converter: str | None, threads: int) -> Runtime:
    from convnet_core.runtimes.tensorflow import TensorFlowFrozen

    return TensorFlowFrozen(path, converter, threads)


def _open_litert(path: Path, converter: str | None, threads: int) -> Runtime:
    from convnet_core.runtimes.litert import LiteRT

    return LiteRT(path, path.name, converter, threads)


def _open_openvino(path: Path, converter: str | None, threads: int) -> Runtime:
    from convnet_core.runtimes.openvino import OpenVino

    return OpenVino(path, threads)


PYTORCH = RuntimeSpec(
    name="pytorch",
    title="PyTorch",
    color="#0072B2",
    symbol="circle",
    distribution="torch",
    import_library=partial(import_module, "torch"),
    import_seconds=2.2,
    stage="export",
    file="model.safetensors",
    open=_open_pytorch,
)
ONNX_RUNTIME = RuntimeSpec(
    name="onnxruntime",
    title=N_("ONNX Runtime, every node as the file says"),
    color="#E69F00",
    symbol="square",
    distribution="onnxruntime",
    import_library=partial(import_module, "onnxruntime"),
    import_seconds=0.1,
    stage="export",
    file="model.onnx",
    open=_open_onnxruntime,
)
ONNX_RUNTIME_OPTIMIZED = RuntimeSpec(
    name="onnxruntime-optimized",
    title=N_("ONNX Runtime at its default level of optimization"),
    color="#AA4499",
    symbol="hexagon",
    distribution="onnxruntime",
    import_library=partial(import_module, "onnxruntime"),
    import_seconds=0.1,
    stage="export",
    file="model.onnx",
    open=partial(_open_onnxruntime, optimized=True),
    own_int8_kernels=True,
)
OPENVINO = RuntimeSpec(
    name="openvino",
    title="OpenVINO",
    color="#7800E1",
    symbol="pentagon",
    distribution="openvino",
    import_library=partial(import_module, "openvino"),
    import_seconds=1.0,
    stage="export",
    file="model.onnx",
    open=_open_openvino,
    extra="openvino",
    own_int8_kernels=True,
)
TENSORFLOW = RuntimeSpec(
    name="tensorflow",
    title="TensorFlow, SavedModel",
    color="#009E73",
    symbol="diamond",
    distribution="tensorflow",
    import_library=import_tensorflow,
    import_seconds=3.1,
    stage="convert",
    file=table.SAVED_MODEL.file,
    open=_open_saved_model,
)
TENSORFLOW_FROZEN = RuntimeSpec(
    name="tensorflow-frozen",
    title=N_("TensorFlow, frozen graph"),
    color="#CC79A7",
    symbol="cross",
    distribution="tensorflow",
    import_library=import_tensorflow,
    import_seconds=3.1,
    stage="convert",
    file=table.FROZEN_GRAPH.file,
    open=_open_frozen_graph,
)
LITERT_FP32 = RuntimeSpec(
    name="litert-fp32",
    title="LiteRT, float32",
    color="#D55E00",
    symbol="x",
    distribution="ai-edge-litert",
    import_library=partial(import_module, "ai_edge_litert.interpreter"),
    import_seconds=0.2,
    stage="convert",
    file=table.TFLITE_FP32.file,
    open=_open_litert,
)
LITERT_FP16 = replace(
    LITERT_FP32,
    name="litert-fp16",
    title=N_("LiteRT, float16 weights"),
    precision="float16",
    color="#56B4E9",
    symbol="triangle-up",
    file=table.TFLITE_FP16.file,
)
LITERT_INT8 = replace(
    LITERT_FP32,
    name="litert-int8",
    title="LiteRT, int8",
    precision="int8",
    color="#999999",
    symbol="star",
    file=table.TFLITE_INT8.file,
)
LITERT = (LITERT_FP32, LITERT_FP16, LITERT_INT8)

SPECS: tuple[RuntimeSpec, ...] = (
    PYTORCH,
    ONNX_RUNTIME,
    ONNX_RUNTIME_OPTIMIZED,
    OPENVINO,
    TENSORFLOW,
    TENSORFLOW_FROZEN,
    *LITERT,
)
"""All runtimes in display order; the first that a run has is the reference."""

_BY_NAME = {spec.name: spec for spec in SPECS}


def spec_of(runtime: str) -> RuntimeSpec:
    """The spec of a runtime by its name in a run, which starts with `<converter>/` for the second converter.

    An unknown name, from the report of another version, gets the strictest tolerance and a gray mark.
    """
    name = runtime.rpartition("/")[2]
    return _BY_NAME.get(name) or replace(ONNX_RUNTIME, name=name, title=name, color="#999999", symbol="star")


def available() -> list[RuntimeSpec]:
    """The runtimes of this installation: the default ones, and the optional ones that are installed."""
    return [spec for spec in SPECS if not spec.extra or spec.version]


def all_versions() -> dict[str, str]:
    """The versions for a stage record, including those of all installed runtimes' libraries."""
    return {**versions(), **{spec.distribution: spec.version for spec in SPECS if spec.version}}
