"""The table of targets: everything that the project knows about a format that conversion writes stands here.

To add a format, write a file beside this one that saves it, and one `Target` in `TARGETS`. Light: nothing here imports
onnx or TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convnet_core.errors import ConfigError

if TYPE_CHECKING:
    from convnet_core.config.stages import ConvertConfig
    from convnet_core.convert.signature import Signature
    from convnet_core.tensors.arrays import Feeds


@dataclass(frozen=True)
class TracedModel:
    """What every target is written from: TensorFlow's concrete function, which takes and gives what the signature says.

    `calibration` holds samples [n, ...] by ONNX input name. `saved_model` is the folder of the SavedModel.
    """

    concrete: Any
    signature: Signature
    calibration: Feeds
    config: ConvertConfig
    saved_model: Path


Format = Literal["saved_model", "frozen", "litert"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One file, or one folder, that conversion writes.

    `name` is what `convert --only` calls it, `file` its name in a conversion's folder; `title` and `about` say what it
    is. `format` decides how a program loads it. `write` saves it under a path and gives the dtypes of inputs and
    outputs by TensorFlow name where they may differ from the signature's; it raises ConversionError where the format
    cannot express the model. `from_saved_model` says that it is written from the SavedModel, which then comes first.
    """

    name: str
    file: str
    format: Format
    title: str
    about: str
    write: Callable[[TracedModel, Path], dict[str, str]]
    from_saved_model: bool = False


def _write_saved_model(model: TracedModel, path: Path) -> dict[str, str]:
    from convnet_core.convert.targets import saved_model

    saved_model.save(model.concrete, path)
    return {}


def _write_frozen_graph(model: TracedModel, path: Path) -> dict[str, str]:
    from convnet_core.convert.targets import frozen_graph

    frozen_graph.save(model.concrete, path)
    return {}


def _write_tflite(kind: str, model: TracedModel, path: Path) -> dict[str, str]:
    from convnet_core.convert.targets import frozen_graph, tflite

    frozen_graph.check_size(model.concrete)  # TFLite's converter freezes first, and holds the whole several times
    dtypes = tflite.save(model.saved_model, path, kind, model.calibration, model.signature, model.config)
    return dtypes if kind == "int8" else {}


SAVED_MODEL = Target(
    name="saved-model",
    file="saved_model",
    format="saved_model",
    title="SavedModel",
    about="for TensorFlow and TensorFlow Serving; its signature is serving_default",
    write=_write_saved_model,
)
FROZEN_GRAPH = Target(
    name="frozen-graph",
    file="frozen.pb",
    format="frozen",
    title="Frozen graph",
    about="a TensorFlow GraphDef in one file, its weights as constants",
    write=_write_frozen_graph,
)
TFLITE_FP32 = Target(
    name="tflite-fp32",
    file="model.fp32.tflite",
    format="litert",
    title="LiteRT float32",
    about="for phones and small devices; full precision",
    write=partial(_write_tflite, "fp32"),
    from_saved_model=True,
)
TFLITE_FP16 = Target(
    name="tflite-fp16",
    file="model.fp16.tflite",
    format="litert",
    title="LiteRT float16",
    about="weights kept in half precision: half the size",
    write=partial(_write_tflite, "fp16"),
    from_saved_model=True,
)
TFLITE_INT8 = Target(
    name="tflite-int8",
    file="model.int8.tflite",
    format="litert",
    title="LiteRT int8",
    about="weights and arithmetic in 8 bits: a quarter of the size, less exact",
    write=partial(_write_tflite, "int8"),
    from_saved_model=True,
)

TARGETS = (SAVED_MODEL, FROZEN_GRAPH, TFLITE_FP32, TFLITE_FP16, TFLITE_INT8)
"""All targets, in the order in which they are written and shown."""


def chosen(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets of these names, in the table's order; all where none is named. Raises ConfigError on another name."""
    known = [target.name for target in TARGETS]
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"no conversion target is called {unknown[0]!r}", hint=f"choose from {', '.join(known)}")
    return tuple(target for target in TARGETS if not names or target.name in names)
