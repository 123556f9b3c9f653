"""The project's own converter: an ONNX graph as a TensorFlow function, operator by operator.

`reader` makes plain nodes of the model, `expansions` write some of them out as others, `passes` put the graph into
TensorFlow's layout, `tracer` calls the handler of each node (`ops/`, found by `registry`) in the node's name scope.
To add an operator, add a function to the file of its kind in `ops/`, and a test.
"""
