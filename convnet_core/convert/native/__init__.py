"""The native converter: turns an ONNX graph into a TensorFlow function, operator by operator.

`reader` turns the model into plain nodes and `expansions` break fused operators into standard ones; the check for
unsupported nodes needs no more. `passes` then move the graph to TensorFlow's layout, and `tracer` calls each node's
handler (in `ops/`, looked up by `registry`) inside the node's name scope. To add an operator, write a function in the
matching file in `ops/`, and a test.
"""
