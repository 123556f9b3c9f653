"""Open artifacts with plain TensorFlow or LiteRT of any release. Uses none of the project's code; Python 3.8 and later.

python compatibility_probe.py {tensorflow,ai_edge_litert,tflite_runtime} FOLDER
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

Arrays = Any
"""Arrays by name in the signature. (`dict[str, ...]` cannot be evaluated in Python 3.8.)"""


def saved_model(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """Load it with `tf.saved_model.load` and run it."""
    module = tf.saved_model.load(os.path.join(folder, "saved_model"))
    call = module.signatures["serving_default"]
    return {name: value.numpy() for name, value in call(**{k: tf.constant(v) for k, v in feeds.items()}).items()}


def serving(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """Load it like TensorFlow Serving: the graph tagged `serve` in a session, restored by its own saver op."""
    path = os.path.join(folder, "model", "1")
    assert tf.saved_model.contains_saved_model(path)
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        signature = v1.saved_model.load(session, ["serve"], path).signature_def["serving_default"]
        fetches = {name: info.name for name, info in signature.outputs.items()}
        return session.run(fetches, {signature.inputs[name].name: value for name, value in feeds.items()})


def frozen(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """Run the frozen GraphDef in a session."""
    v1 = tf.compat.v1
    graph_def = v1.GraphDef()
    with open(os.path.join(folder, "frozen.pb"), "rb") as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        names = expected(folder, "float32")
        return session.run({name: name + ":0" for name in names}, {name + ":0": feeds[name] for name in feeds})


def tflite(interpreter_class: Any, folder: str, kind: str, feeds: Arrays) -> Arrays:
    """Run a .tflite file with one output, resized to the batch."""
    interpreter = interpreter_class(model_path=os.path.join(folder, "model." + kind + ".tflite"))
    indices = {detail["name"].split(":")[0]: detail["index"] for detail in interpreter.get_input_details()}
    for name, value in feeds.items():
        interpreter.resize_tensor_input(indices["serving_default_" + name], value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(indices["serving_default_" + name], value)
    interpreter.invoke()
    (name,) = expected(folder, "float32")
    (output,) = interpreter.get_output_details()
    return {name: interpreter.get_tensor(output["index"])}


def expected(folder: str, kind: str) -> Arrays:
    """The expected outputs, by name in the signature."""
    return dict(np.load(os.path.join(folder, "expected." + kind + ".npz"), allow_pickle=False))


def error(call: Any, folder: str, kind: str) -> float | str:
    """The largest error as a fraction of the expected output's range, or a one-line error message."""
    try:
        actual, worst = call(), 0.0
        for name, reference in expected(folder, kind).items():
            assert actual[name].shape == reference.shape, f"shape {actual[name].shape} instead of {reference.shape}"
            worst = max(worst, float(np.abs(actual[name].astype(np.float64) - reference).max() / np.ptp(reference)))
        return worst if np.isfinite(worst) else "not finite"
    except Exception as problem:
        return (type(problem).__name__ + ": " + " ".join(str(problem).split()))[:1500]


def probe(name: str, folder: str) -> dict[str, float | str]:
    """The error of each artifact in one network's folder."""
    feeds = dict(np.load(os.path.join(folder, "inputs.npz"), allow_pickle=False))
    errors = {}
    if name == "tensorflow":
        tf = importlib.import_module("tensorflow")
        interpreter_class = tf.lite.Interpreter
        for call in (saved_model, serving, frozen):
            errors[call.__name__] = error(lambda call=call: call(tf, folder, feeds), folder, "float32")
    else:
        interpreter_class = importlib.import_module(name + ".interpreter").Interpreter
    for kind in ("fp32", "fp16", "int8"):
        if os.path.exists(os.path.join(folder, "model." + kind + ".tflite")):
            errors[kind] = error(
                lambda kind=kind: tflite(interpreter_class, folder, kind, feeds),
                folder,
                "float32" if kind == "fp32" else kind,
            )
    return errors


if __name__ == "__main__":
    print(json.dumps(probe(*sys.argv[1:3])))
