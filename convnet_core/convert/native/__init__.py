"""The native converter: turns an ONNX graph into a TensorFlow function, operator by operator.

`reader` turns the model into plain nodes, `expansions` break fused operators into standard ones, and `passes` move the
graph to TensorFlow's layout. `tracer` then calls each node's handler (in `ops/`, looked up by `registry`) inside the
node's name scope. To add an operator, write a function in the matching file in `ops/`, and a test.
"""
