"""Open artefacts with plain TensorFlow, or LiteRT, of any release: no code of the project, Python 3.8 and later.

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
"""Arrays by their names in the signature; `dict[str, ...]` is not an expression in Python 3.8."""


def saved_model(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """As Python loads it."""
    module = tf.saved_model.load(os.path.join(folder, "saved_model"))
    call = module.signatures["serving_default"]
    return {name: value.numpy() for name, value in call(**{k: tf.constant(v) for k, v in feeds.items()}).items()}


def serving(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """As TensorFlow Serving loads it: the graph tagged `serve` in a session, restored by its own saver op."""
    path = os.path.join(folder, "model", "1")
    assert tf.saved_model.contains_saved_model(path)
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        signature = v1.saved_model.load(session, ["serve"], path).signature_def["serving_default"]
        fetches = {name: info.name for name, info in signature.outputs.items()}
        return session.run(fetches, {signature.inputs[name].name: value for name, value in feeds.items()})


def frozen(tf: Any, folder: str, feeds: Arrays) -> Arrays:
    """A GraphDef, in a session."""
    v1 = tf.compat.v1
    graph_def = v1.GraphDef()
    with open(os.path.join(folder, "frozen.pb"), "rb") as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        names = expected(folder, "float32")
        return session.run({name: name + ":0" for name in names}, {name + ":0": feeds[name] for name in feeds})


def tflite(interpreter_class: Any, folder: str, kind: str, feeds: Arrays) -> Arrays:
    """A .tflite file with one output, resized to the batch."""
    interpreter = interpreter_class(model_path=os.path.join(folder, "model." + kind + ".tflite"))
    places = {detail["name"].split(":")[0]: detail["index"] for detail in interpreter.get_input_details()}
    for name, value in feeds.items():
        interpreter.resize_tensor_input(places["serving_default_" + name], value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
        interpreter.set_tensor(places["serving_default_" + name], value)
    interpreter.invoke()
    (name,) = expected(folder, "float32")
    (output,) = interpreter.get_output_details()
    return {name: interpreter.get_tensor(output["index"])}


def expected(folder: str, kind: str) -> Arrays:
    """Arrays by their names in the signature."""
    return dict(np.load(os.path.join(folder, "expected." + kind + ".npz"), allow_pickle=False))


def error(call: Any, folder: str, kind: str) -> float | str:
    """The largest error as a part of the range of what is expected; or one line that says why there is none."""
    try:
        got, worst = call(), 0.0
        for name, right in expected(folder, kind).items():
            assert got[name].shape == right.shape, f"shape {got[name].shape} instead of {right.shape}"
            worst = max(worst, float(np.abs(got[name].astype(np.float64) - right).max() / np.ptp(right)))
        return worst if np.isfinite(worst) else "not finite"
    except Exception as problem:
        return (type(problem).__name__ + ": " + " ".join(str(problem).split()))[:1500]


def probe(name: str, folder: str) -> dict[str, float | str]:
    """The error of each artefact in the folder of one network."""
    feeds = dict(np.load(os.path.join(folder, "inputs.npz"), allow_pickle=False))
    found = {}
    if name == "tensorflow":
        tf = importlib.import_module("tensorflow")
        interpreter_class = tf.lite.Interpreter
        for call in (saved_model, serving, frozen):
            found[call.__name__] = error(lambda call=call: call(tf, folder, feeds), folder, "float32")
    else:
        interpreter_class = importlib.import_module(name + ".interpreter").Interpreter
    for kind in ("fp32", "fp16", "int8"):
        if os.path.exists(os.path.join(folder, "model." + kind + ".tflite")):
            found[kind] = error(
                lambda kind=kind: tflite(interpreter_class, folder, kind, feeds),
                folder,
                "float32" if kind == "fp32" else kind,
            )
    return found


if __name__ == "__main__":
    print(json.dumps(probe(*sys.argv[1:3])))
