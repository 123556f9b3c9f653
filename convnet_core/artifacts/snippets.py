"""A few lines of plain Python for each artefact that load it and let it answer once, without this project.

Each is run in the folder of its artefact. It makes `feeds`, example arrays by the names that the artefact knows its
inputs by, and prints `answers`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from convnet_core.artifacts.artifact import Artefact, artefacts, check
from convnet_core.convert.targets.table import TFLITE_INT8
from convnet_core.errors import ConfigError, ModelError
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import DYNAMIC_SIZE, shape_text

if TYPE_CHECKING:
    from convnet_core.convert.signature import Port, Signature

EXAMPLE_BATCH = 2
"""Samples in the example arrays where the batch is dynamic."""

_IMPORTS = {
    "onnx": ("onnxruntime", "import onnxruntime"),
    "saved_model": ("tensorflow", "import tensorflow as tf"),
    "frozen": ("tensorflow", "import tensorflow as tf"),
    "litert": ("ai-edge-litert", "from ai_edge_litert.interpreter import Interpreter"),
}

_ANSWER = {
    "onnx": """\
session = onnxruntime.InferenceSession({file}, providers=["CPUExecutionProvider"])
answers = dict(zip(outputs, session.run(outputs, feeds)))
""",
    "saved_model": """\
model = tf.saved_model.load({file})
results = model.signatures["serving_default"](**{{name: tf.constant(array) for name, array in feeds.items()}})
answers = {{name: results[name].numpy() for name in outputs}}
""",
    "frozen": """\
graph_def = tf.compat.v1.GraphDef()
with open({file}, "rb") as file:
    graph_def.ParseFromString(file.read())
with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(graph_def, name="")
with tf.compat.v1.Session(graph=graph) as session:
    tensors = {{f"{{name}}:0": array for name, array in feeds.items()}}
    answers = session.run({{name: f"{{name}}:0" for name in outputs}}, tensors)
""",
    "litert": """\
interpreter = Interpreter({file})
runner = interpreter.get_signature_runner("serving_default")
{before}results = runner(**{given})
{after}answers = {{name: results[name] for name in outputs}}
""",
}

_QUANTIZE = """\
given, details = dict(feeds), runner.get_input_details()
for name in {names}:  # floats become whole numbers, by the file's own scale and zero point
    scale, zero_point = details[name]["quantization"]
    limits = np.iinfo(details[name]["dtype"])
    given[name] = np.rint(feeds[name] / scale + zero_point).clip(limits.min, limits.max).astype(limits.dtype)
"""

_DEQUANTIZE = """\
details = runner.get_output_details()
for name in {names}:  # whole numbers become floats, by the file's own scale and zero point
    scale, zero_point = details[name]["quantization"]
    results[name] = (results[name].astype(np.float32) - zero_point) * np.float32(scale)
"""


def snippets(run: Run, only: Artefact | None = None) -> dict[Artefact, str]:
    """The snippet of every artefact of a run that has one, or of `only` one.

    Raises RunError and ModelError as `signature_of` does, ConfigError where `only` is nothing to load.
    """
    if only and only.kind not in _ANSWER:
        raise ConfigError(f"{only.path} is no model, so no snippet loads it")
    chosen = [only] if only else [item for item in artefacts(run) if item.kind in _ANSWER]
    return {item: snippet(item, signature_of(run, item)) for item in chosen}


def signature_of(run: Run, artefact: Artefact) -> Signature:
    """What goes into an artefact and what comes out.

    Raises RunError where a file of it is gone, ModelError where it is damaged.
    """
    from convnet_core.convert import signature as names
    from convnet_core.convert.signature import Signature
    from convnet_core.onnx_files import model_file

    check(run, artefact)
    if artefact.kind == "onnx":
        return Signature.of(model_file.load(run.path / artefact.path))
    path = run.file(f"{artefact.stage}/{names.FILE}")
    try:
        return Signature.load(path.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}", "convert the run again") from error


def snippet(artefact: Artefact, signature: Signature) -> str:
    """The lines for one artefact, with its own names, dtypes and shapes."""
    package, imported = _IMPORTS[artefact.kind]
    given = "".join(
        f"    {_name(artefact, port)}: {_example(port)},  # {shape_text(port.shape)}\n" for port in signature.inputs
    )
    made = ", ".join(_name(artefact, port) for port in signature.outputs)
    return f"""\
# pip install {package} numpy
import numpy as np
{imported}

random = np.random.default_rng(0)
feeds = {{  # put your own arrays here
{given}}}
outputs = [{made}]

{_ANSWER[artefact.kind].format(file=_quoted(artefact.name), **_borders(artefact, signature))}
for name in outputs:
    print(name, answers[name].dtype, answers[name].shape)
    print(answers[name])
"""


def file_name(artefact: Artefact) -> str:
    """The name of the snippet's file beside its artefact: use_model_fp32_tflite.py."""
    return f"use_{artefact.name.replace('.', '_')}.py"


def _name(artefact: Artefact, port: Port) -> str:
    return _quoted(port.onnx if artefact.kind == "onnx" else port.tensorflow)


def _borders(artefact: Artefact, signature: Signature) -> dict[str, str]:
    """What a LiteRT snippet does before and after its call where the file works on whole numbers at its borders."""
    int8 = artefact.name == TFLITE_INT8.file
    takes = [port.tensorflow for port in signature.inputs if int8 and port.int8]
    gives = [port.tensorflow for port in signature.outputs if int8 and port.int8]
    return {
        "given": "given" if takes else "feeds",
        "before": _QUANTIZE.format(names=json.dumps(takes)) if takes else "",
        "after": _DEQUANTIZE.format(names=json.dumps(gives)) if gives else "",
    }


def _example(port: Port) -> str:
    """Code for an array that an input takes: floats from 0 to 1, whole numbers and truth values 0 or 1, words."""
    dynamic = (EXAMPLE_BATCH if axis == 0 else DYNAMIC_SIZE for axis in range(len(port.shape)))
    shape = tuple(free if size is None else size for size, free in zip(port.shape, dynamic, strict=True))
    if port.dtype == "object":
        return f'random.choice(np.array(["a", "b", "ab"], object), {shape})'
    values = f"random({shape})" if port.dtype.startswith(("float", "complex")) else f"integers(0, 2, {shape})"
    return f'random.{values}.astype("{port.dtype}")'


def _quoted(text: str) -> str:
    """Text as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)
