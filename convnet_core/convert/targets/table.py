"""The table of conversion targets, which describes every format that conversion writes.

To add a format, write a module next to this one that saves it, and add one `Target` to `TARGETS`. This module imports
neither onnx nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convnet_core.common.formatting import list_words
from convnet_core.errors import ConfigError
from convnet_core.language import N_, _

if TYPE_CHECKING:
    from convnet_core.config.stages import ConvertConfig
    from convnet_core.convert.signature import Signature
    from convnet_core.tensors.arrays import Feeds


@dataclass(frozen=True)
class TracedModel:
    """The input for writing targets: a traced graph and its signature.

    `concrete` is TensorFlow's concrete function, None for targets that are converted from the SavedModel. `saved_model`
    is its folder, `weight_bytes` the size of all weights. `calibration` has samples [n, ...] by ONNX input name.
    """

    concrete: Any
    weight_bytes: int
    signature: Signature
    calibration: Feeds
    config: ConvertConfig
    saved_model: Path


Format = Literal["saved_model", "frozen", "litert"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One file, or one folder, that conversion writes.

    `name` is its name in `convert --only`, `file` its name in a conversion's folder; `title` and `about` describe it.
    `format` determines how a program loads it. `write` saves it to a path and returns the dtypes of inputs and
    outputs, by TensorFlow name, that may differ from the signature. It raises ConversionError if the format
    cannot represent the model. `from_saved_model` means that it is converted from the SavedModel, which comes first.
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

    frozen_graph.check_size(model.weight_bytes)
    frozen_graph.save(model.concrete, path)
    return {}


def _write_tflite(kind: str, model: TracedModel, path: Path) -> dict[str, str]:
    from convnet_core.convert.targets import frozen_graph, tflite

    frozen_graph.check_size(
        model.weight_bytes
    )  # TFLite's converter freezes the graph first, with several copies in memory
    dtypes = tflite.save(model.saved_model, path, kind, model.calibration, model.signature, model.config)
    return dtypes if kind == "int8" else {}


SAVED_MODEL = Target(
    name="saved-model",
    file="saved_model",
    format="saved_model",
    title="SavedModel",
    about=N_("for TensorFlow and TensorFlow Serving; its signature is serving_default"),
    write=_write_saved_model,
)
FROZEN_GRAPH = Target(
    name="frozen-graph",
    file="frozen.pb",
    format="frozen",
    title=N_("Frozen graph"),
    about=N_("a TensorFlow GraphDef in one file, with weights as constants"),
    write=_write_frozen_graph,
)
TFLITE_FP32 = Target(
    name="tflite-fp32",
    file="model.fp32.tflite",
    format="litert",
    title="LiteRT float32",
    about=N_("for phones and small devices; full precision"),
    write=partial(_write_tflite, "fp32"),
    from_saved_model=True,
)
TFLITE_FP16 = Target(
    name="tflite-fp16",
    file="model.fp16.tflite",
    format="litert",
    title="LiteRT float16",
    about=N_("weights in half precision: half the size"),
    write=partial(_write_tflite, "fp16"),
    from_saved_model=True,
)
TFLITE_INT8 = Target(
    name="tflite-int8",
    file="model.int8.tflite",
    format="litert",
    title="LiteRT int8",
    about=N_("weights and arithmetic in 8 bits: a quarter of the size, less accurate"),
    write=partial(_write_tflite, "int8"),
    from_saved_model=True,
)

TARGETS = (SAVED_MODEL, FROZEN_GRAPH, TFLITE_FP32, TFLITE_FP16, TFLITE_INT8)
"""All targets, in the order of writing and display."""


def select_targets(names: Sequence[str]) -> tuple[Target, ...]:
    """The targets with these names, in table order; all if no name is given. Raises ConfigError for unknown names."""
    valid = [target.name for target in TARGETS]
    if unknown := [name for name in names if name not in valid]:
        raise ConfigError(
            _("unknown conversion target {name!r}", name=unknown[0]),
            hint=_("choose from {names}", names=list_words(valid)),
        )
    return tuple(target for target in TARGETS if not names or target.name in names)
