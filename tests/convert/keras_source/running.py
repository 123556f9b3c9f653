"""Run generated source as its reader would: with Keras alone."""

import numpy as np

from convnet_core.convert.keras_source.source import write_source


def run(model, feeds):
    """The outputs of a model's Keras code with its weights, and the code."""
    source = write_source(model)
    names: dict = {}
    exec(compile(source.text, "model.py", "exec"), names)  # noqa: S102  # it is what the test is about
    keras_model = names["build"]()
    for name, arrays in source.weights.items():
        keras_model.get_layer(name).set_weights(arrays)
    ports = [port.name for port in (*model.graph.input, *model.graph.output)]
    inputs = [value.transpose(source.layouts.get(name, range(value.ndim))) for name, value in feeds.items()]
    results = keras_model(inputs if len(inputs) > 1 else inputs[0])
    results = [np.asarray(result) for result in (results if isinstance(results, list) else [results])]
    orders = [source.layouts.get(name) for name in ports[len(inputs) :]]
    turned = [
        value.transpose(np.argsort(order)) if order else value for value, order in zip(results, orders, strict=True)
    ]
    return turned, source.text
