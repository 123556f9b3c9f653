"""A few lines of plain Python for each artifact that load it and run it once, without this project.

Run a snippet in the folder of its artifact. It creates `feeds`, example arrays under the artifact's own input names,
and prints `answers`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convnet_core.artifacts.artifact import Artifact, Kind, artifacts, check_files
from convnet_core.convert.targets.table import TFLITE_INT8
from convnet_core.errors import ConfigError, ModelError
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import DYNAMIC_SIZE, shape_text

if TYPE_CHECKING:
    from convnet_core.convert.signature import Port, Signature

EXAMPLE_BATCH = 2
"""Samples in the example arrays if the batch is dynamic."""


@dataclass(frozen=True)
class _Loader:
    """How plain Python loads a format: the package, its import, and the code from `feeds` to `answers`."""

    package: str
    imports: str
    code: str


LOADERS: dict[Kind, _Loader] = {
    "onnx": _Loader(
        "onnxruntime",
        "import onnxruntime",
        """\
session = onnxruntime.InferenceSession({file}, providers=["CPUExecutionProvider"])
answers = dict(zip(outputs, session.run(outputs, feeds)))
""",
    ),
    "saved_model": _Loader(
        "tensorflow",
        "import tensorflow as tf",
        """\
model = tf.saved_model.load({file})
results = model.signatures["serving_default"](**{{name: tf.constant(array) for name, array in feeds.items()}})
answers = {{name: results[name].numpy() for name in outputs}}
""",
    ),
    "frozen": _Loader(
        "tensorflow",
        "import tensorflow as tf",
        """\
graph_def = tf.compat.v1.GraphDef()
with open({file}, "rb") as file:
    graph_def.ParseFromString(file.read())
with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(graph_def, name="")
with tf.compat.v1.Session(graph=graph) as session:
    tensors = {{f"{{name}}:0": array for name, array in feeds.items()}}
    answers = session.run({{name: f"{{name}}:0" for name in outputs}}, tensors)
""",
    ),
    "litert": _Loader(
        "ai-edge-litert",
        "from ai_edge_litert.interpreter import Interpreter",
        """\
interpreter = Interpreter({file})
runner = interpreter.get_signature_runner("serving_default")
{before}results = runner(**{arrays})
{after}answers = {{name: results[name] for name in outputs}}
""",
    ),
}
"""By the format of an artifact. What is not here (weights, reports) is not a model and has no snippet."""

_QUANTIZE = """\
inputs, details = dict(feeds), runner.get_input_details()
for name in {names}:  # quantize floats with the file's scale and zero point
    scale, zero_point = details[name]["quantization"]
    limits = np.iinfo(details[name]["dtype"])
    inputs[name] = np.rint(feeds[name] / scale + zero_point).clip(limits.min, limits.max).astype(limits.dtype)
"""

_DEQUANTIZE = """\
details = runner.get_output_details()
for name in {names}:  # dequantize with the file's scale and zero point
    scale, zero_point = details[name]["quantization"]
    results[name] = (results[name].astype(np.float32) - zero_point) * np.float32(scale)
"""


def snippets(run: Run, only: Artifact | None = None) -> dict[Artifact, str]:
    """The snippets of all models among a run's artifacts, or of `only` one.

    Raises RunError and ModelError like `signature_of`, ConfigError if `only` is not a model.
    """
    if only and only.kind not in LOADERS:
        raise ConfigError(_("{path} is not a model, so there is no snippet for it", path=only.path))
    chosen = [only] if only else [item for item in artifacts(run) if item.kind in LOADERS]
    return {item: snippet(item, signature_of(run, item)) for item in chosen}


def signature_of(run: Run, artifact: Artifact) -> Signature:
    """The inputs and outputs of an artifact.

    Raises RunError if one of its files is gone, ModelError if one is damaged.
    """
    from convnet_core.convert import signature as names
    from convnet_core.convert.signature import Signature
    from convnet_core.onnx_files import model_file

    check_files(run, artifact)
    if artifact.kind == "onnx":
        return Signature.of(model_file.load(run.path / artifact.path))
    path = run.file(f"{artifact.stage}/{names.FILE}")
    try:
        return Signature.load(path.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            _("{path} is damaged: {reason}", path=path, reason=error), _("convert the run again")
        ) from error


def snippet(artifact: Artifact, signature: Signature) -> str:
    """The snippet of one artifact, with its names, dtypes and shapes."""
    loader = LOADERS[artifact.kind]
    inputs = "".join(
        f"    {_name(artifact, port)}: {_example(port)},  # {shape_text(port.shape)}\n" for port in signature.inputs
    )
    outputs = ", ".join(_name(artifact, port) for port in signature.outputs)
    return f"""\
# pip install {loader.package} numpy
import numpy as np
{loader.imports}

random = np.random.default_rng(0)
feeds = {{  # put your own arrays here
{inputs}}}
outputs = [{outputs}]

{loader.code.format(file=_quoted(artifact.name), **_quantization_code(artifact, signature))}
for name in outputs:
    print(name, answers[name].dtype, answers[name].shape)
    print(answers[name])
"""


def file_name(artifact: Artifact) -> str:
    """The file name of the snippet, next to its artifact: use_model_fp32_tflite.py."""
    return f"use_{artifact.name.replace('.', '_')}.py"


def _name(artifact: Artifact, port: Port) -> str:
    return _quoted(port.onnx if artifact.kind == "onnx" else port.tensorflow)


def _quantization_code(artifact: Artifact, signature: Signature) -> dict[str, str]:
    """The lines of a LiteRT snippet around its call that convert floats to and from an int8 file's integers."""
    int8 = artifact.name == TFLITE_INT8.file
    inputs = [port.tensorflow for port in signature.inputs if int8 and port.int8]
    outputs = [port.tensorflow for port in signature.outputs if int8 and port.int8]
    return {
        "arrays": "inputs" if inputs else "feeds",
        "before": _QUANTIZE.format(names=json.dumps(inputs)) if inputs else "",
        "after": _DEQUANTIZE.format(names=json.dumps(outputs)) if outputs else "",
    }


def _example(port: Port) -> str:
    """Code for an example array of an input: floats from 0 to 1, integers and booleans 0 or 1, strings."""
    sizes = (EXAMPLE_BATCH if axis == 0 else DYNAMIC_SIZE for axis in range(len(port.shape)))
    shape = tuple(free if size is None else size for size, free in zip(port.shape, sizes, strict=True))
    if port.dtype == "object":
        return f'random.choice(np.array(["a", "b", "ab"], object), {shape})'
    values = f"random({shape})" if port.dtype.startswith(("float", "complex")) else f"integers(0, 2, {shape})"
    return f'random.{values}.astype("{port.dtype}")'


def _quoted(text: str) -> str:
    """Text as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)
