"""Dissect a conversion: what each ONNX node became, and how much error each runtime adds there.

`probes` return the value of every tensor, with ONNX's order of dimensions: ONNX Runtime, which is the reference,
PyTorch, TensorFlow, LiteRT, and the same graph in float64, which separates rounding noise from mistakes. `examine`
compares them node by node and separates errors that a node introduces from errors it inherits. `checks` describe what
is wrong in sentences.
"""
